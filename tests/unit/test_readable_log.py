"""Log lines for people: time, level, message, fields and traceback, whatever the line holds."""

from __future__ import annotations

from typing import Any

import pytest

from scheduled_tasks.readable_log import in_zone

RUN: dict[str, Any] = {
    "timestamp": "2026-11-24T01:50:11.482Z", "level": "info", "logger": "scheduled_tasks.cron", "message": "…",
    "type": "cron", "name": "count", "task": "shop.count", "run_id": "3f2a8c91-0000-4000-8000-000000000000",
    "host": "app1", "clock": "shop", "job": "count",
}  # fmt: skip
PARIS = "Europe/Paris"


def shown(*lines: dict[str, Any], zone: str = PARIS, with_job: bool = False) -> list[str]:
    log = in_zone(zone, with_job=with_job)
    return "".join(map(log.text, lines)).splitlines()


def test_a_run_is_read_as_sentences_in_one_zone() -> None:
    started = RUN | {"status": "started", "scheduled_at": "2026-11-24T01:50:00Z", "lag": 11.4, "attempt": 2}
    ended = RUN | {"status": "ended", "timestamp": "2026-11-24T01:50:12.533Z", "duration": 1.051}
    assert shown(started, ended) == [
        "Tue 2026-11-24, Europe/Paris (+0100)",
        "02:50:11 started  run 3f2a8c91, due 02:50:00, attempt 2",
        "02:50:12 ended    after 1.051 s",
    ]


def test_a_failure_has_its_reason_and_a_real_traceback() -> None:
    exception = {
        "type": "ValueError",
        "message": "no\nluck",
        "traceback": "Traceback:\n  File f\nValueError: no\nluck\n",
    }
    failed = RUN | {"status": "failed", "duration": 3.2, "exit_code": 1, "exception": exception}
    assert shown(failed)[1:] == [
        "02:50:11 failed   after 3.2 s, exit code 1: ValueError: no",
        "                  Traceback:",
        "                    File f",
        "                  ValueError: no",
        "                  luck",
    ]
    skipped = RUN | {"status": "skipped", "duration": 0.1, "reason": "paused: by anna"}
    assert shown(skipped)[1:] == ["02:50:11 skipped  after 0.1 s: paused: by anna"]


def test_a_tasks_line_has_its_fields_and_its_logger() -> None:
    line = RUN | {
        "message": "fetched",
        "logger": "shop.tasks",
        "level": "warning",
        "venue": 3,
        "who": "a b",
        "none": "",
    }
    assert shown(line)[1:] == ['02:50:11 warning  fetched  logger=shop.tasks venue=3 who="a b" none=""']
    assert shown(line | {"logger": "root", "message": "one\ntwo"}, with_job=True)[1:] == [
        "02:50:11 warning  shop/count  one",
        "                  two",
        '                  venue=3 who="a b" none=""',
    ]


def test_a_day_and_a_shift_of_the_zone_get_a_line_of_their_own() -> None:
    times = (
        "2026-10-24T12:00:00.000Z",
        "2026-10-25T00:30:00.000Z",
        "2026-10-25T01:30:00.000Z",
        "2026-10-25T02:30:00.000Z",
    )
    assert shown(*(RUN | {"timestamp": time, "message": "x", "logger": "root"} for time in times)) == [
        "Sat 2026-10-24, Europe/Paris (+0200)",
        "14:00:00 info     x",
        "Sun 2026-10-25, Europe/Paris (+0200)",
        "02:30:00 info     x",
        "Sun 2026-10-25, Europe/Paris (+0100)",
        "02:30:00 info     x",
        "03:30:00 info     x",
    ]


def test_no_text_of_a_line_controls_the_terminal() -> None:
    line = RUN | {
        "message": "a\x1b[2J", "level": "x\x1b[2J", "logger": "l\x1b[2J", "k\x1b[2J": "v\x1b[2J\n", "job": "j\x1b[2J",
        "exception": {"type": "T", "message": "m", "traceback": "t\x1b[2J\x9b2J"},
    }  # fmt: skip
    text = "\n".join(shown(line, with_job=True))
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert text.count("\\u001b[2J") == 7


@pytest.mark.parametrize(
    "line",
    [{}, {"timestamp": 3}, {"timestamp": "9999-12-31T23:59:59Z"}, {"message": None, "exception": 1, "status": ["x"]}],
    ids=repr,
)
def test_a_line_without_what_the_contract_has_is_shown_all_the_same(line: dict[str, Any]) -> None:
    assert shown(line) != []


def test_an_unknown_zone_is_utc() -> None:
    assert shown(RUN, zone="Mars/Olympus")[0] == shown(RUN, zone="")[0] == "Tue 2026-11-24, UTC (+0000)"
