"""Descriptions of triggers, and the warnings of the linter about several jobs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scheduled_tasks.schedule import Trigger, describe, read_trigger
from scheduled_tasks.schedule.lint import schedule_warnings

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def cron(**fields: object) -> Trigger:
    return read_trigger("cron", fields, timezone="Europe/Paris")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hour": 6}, "at 06:00 every day"),
        ({"hour": "6,18", "minute": 30}, "at 06:30 and 18:30 every day"),
        ({"day_of_week": "mon-fri", "hour": 6, "minute": 0, "second": 5}, "at 06:00:05 on Monday to Friday"),
        ({"hour": 6, "second": 5}, "at second 5 of every minute in the hour 6 every day"),
        ({"minute": "*/15"}, "every 15 minutes"),
        ({"minute": "*/7"}, "every 7 minutes past the hour"),
        ({"minute": "*"}, "every minute"),
        ({"minute": 15}, "at minute 15 of every hour"),
        ({"second": "*"}, "every second of every minute"),
        ({"second": "*/10"}, "every 10 seconds of every minute"),
        ({"hour": "9-17", "minute": "*/5"}, "every 5 minutes in the hours 9 to 17 every day"),
        ({"hour": "*/2", "minute": 5}, "at minute 5 of every 2 hours from midnight every day"),
        ({"day": "last sun", "hour": 6}, "at 06:00 on the last Sunday of the month"),
        ({"day": "1,15,last", "hour": 6}, "at 06:00 on day 1 and 15 and the last day of the month"),
        ({"day": 13, "day_of_week": "fri", "hour": 6}, "at 06:00 on day 13 of the month if that is a Friday"),
        ({"month": "jun-aug", "day": 1}, "at 00:00 on day 1 of the month in June to August"),
        ({"week": "10", "day_of_week": "mon"}, "at 00:00 on Monday in ISO week 10"),
    ],
)
def test_a_cron_trigger_is_described(fields: dict[str, object], words: str) -> None:
    assert describe(cron(**fields)) == f"{words}, Europe/Paris time"


def test_other_triggers_are_described() -> None:
    interval = read_trigger("interval", {"hours": 1, "minutes": 30, "start_date": "2027-01-01"}, timezone="UTC")
    assert describe(interval) == "every hour and 30 minutes of real time from 2027-01-01 00:00:00 UTC"
    once = read_trigger("date", {"run_date": "2027-01-01 06:00:00"}, timezone="Europe/Paris")
    assert describe(once) == "once, on 2027-01-01 06:00:00 Europe/Paris"


def test_a_crowd_comes_with_a_suggestion_to_spread_it() -> None:
    jobs = [(f"c/j{n}", cron(hour=6), None) for n in range(6)] + [("c/other", cron(hour=6, minute=1), None)]
    (warning,) = schedule_warnings(jobs, now=NOW, processors=2)
    assert (warning.kind, warning.at) == ("crowd", (datetime(2026, 11, 23, 5, tzinfo=UTC),))
    assert warning.message == (
        "6 jobs start in the same second, next at 2026-11-23 05:00:00 UTC,"
        " the last of them about 1 s late on 2 processors"
    )
    assert warning.instead.startswith("keep c/j0; delay c/j1 by 2 min, c/j2 by 3 min")


def test_jobs_that_start_apart_are_not_a_crowd() -> None:
    assert schedule_warnings([(f"c/j{n}", cron(hour=6, minute=n), None) for n in range(30)], now=NOW) == []


def test_a_shift_is_reported_once_for_all_its_jobs() -> None:
    jobs = [(f"c/j{n}", cron(hour=2, minute=30), None) for n in range(2)]
    assert [(warning.kind, warning.jobs, warning.message) for warning in schedule_warnings(jobs, now=NOW)] == [
        ("gap", ("c/j0", "c/j1"), "02:30 does not exist on Sun 2027-03-28 in Europe/Paris: the run is at 03:30"),
        (
            "fold",
            ("c/j0", "c/j1"),
            "02:30 occurs twice on Sun 2027-10-31 in Europe/Paris: the job runs only the first time",
        ),
    ]


def test_a_repeating_job_has_no_warnings() -> None:
    assert schedule_warnings([("c/j", cron(minute="*/15"), 60)], now=NOW) == []


def test_a_timeout_longer_than_the_distance_is_an_overlap() -> None:
    (warning,) = schedule_warnings([("c/j", cron(minute="0,50"), 900)], now=NOW)
    assert warning.message == (
        "a run can take 900 s, and the next is due 600 s after the one at 2026-11-23 00:50:00 UTC; "
        "a run that is due while the previous one still runs is not started"
    )


def test_an_accidental_every_second_is_a_warning() -> None:
    warnings = schedule_warnings([("c/j", cron(), None)], now=NOW)
    assert [(warning.kind, warning.message[:40]) for warning in warnings] == [
        ("reading", "no cron field is given, so it runs every")
    ]
