"""Triggers fire at literal instants, in the nights of shifts of many kinds of zones."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from scheduled_tasks.schedule import latest_occurrence, occurrences, read_trigger
from scheduled_tasks.schedule.evaluator import is_moved


def instants(zone: str, start: str, until: str, **fields: object) -> list[str]:
    """`day hour:minute` in UTC of each run in a period."""
    trigger = read_trigger("cron", fields, timezone=zone)
    low, high = (datetime.fromisoformat(bound).replace(tzinfo=UTC) for bound in (start, until))
    return [f"{run.at:%d %H:%M}" for run in occurrences(trigger, after=low - timedelta(seconds=1), until=high)]


@pytest.mark.parametrize(
    ("zone", "start", "until", "fields", "expected"),
    [
        pytest.param("Europe/Paris", "2027-03-27", "2027-03-29", {"hour": 2, "minute": 30},
                     ["27 01:30", "28 01:30"], id="Paris, a gap: 02:30 is at 03:30"),
        pytest.param("Europe/Paris", "2026-10-24", "2026-10-26", {"hour": 2, "minute": 30},
                     ["24 00:30", "25 00:30"], id="Paris, a fold: once, the first time"),
        pytest.param("Europe/Paris", "2026-10-24T23:00", "2026-10-25T03:00", {"minute": 15},
                     ["24 23:15", "25 00:15", "25 01:15", "25 02:15"], id="Paris, a fold: *:15 both times"),
        pytest.param("Europe/Paris", "2027-03-28", "2027-03-28T03:00", {"minute": 15},
                     ["28 00:15", "28 01:15", "28 02:15"], id="Paris, a gap: *:15 keeps its spacing"),
        pytest.param("Europe/Paris", "2027-03-28", "2027-03-28T03:00", {"hour": "2,3"},
                     ["28 01:00"], id="Paris, a gap: two nominal times on one instant are one run"),
        pytest.param("Europe/Paris", "2026-10-24T22:00", "2026-10-25T04:00", {"hour": "0-4"},
                     ["24 22:00", "24 23:00", "25 00:00", "25 01:00", "25 02:00", "25 03:00"],
                     id="Paris, a fold: 2 is between 1 and 3, it repeats"),
        pytest.param("Europe/Paris", "2026-10-24T22:00", "2026-10-25T04:00", {"hour": "2-4"},
                     ["25 00:00", "25 02:00", "25 03:00"], id="Paris, a fold: 2 is first in its range, fixed"),
        pytest.param("Europe/Paris", "2026-10-24T22:00", "2026-10-25T04:00", {"hour": "*/2"},
                     ["24 22:00", "25 00:00", "25 03:00"], id="Paris, a fold: */2 is fixed"),
        pytest.param("Europe/Dublin", "2027-03-28", "2027-03-28T03:00", {"hour": "1,3"},
                     ["28 01:00", "28 02:00"], id="Dublin, where winter time is DST"),
        pytest.param("Australia/Lord_Howe", "2026-10-03T14:00", "2026-10-03T18:00", {"hour": 2, "minute": 15},
                     ["03 15:45"], id="Lord Howe, a gap of half an hour: 02:15 is at 02:45"),
        pytest.param("Australia/Lord_Howe", "2027-04-03T14:00", "2027-04-03T16:00", {"minute": "*/30"},
                     ["03 14:00", "03 14:30", "03 15:00", "03 15:30", "03 16:00"],
                     id="Lord Howe, a fold: */30 keeps its spacing"),
        pytest.param("Asia/Beirut", "2027-03-27T21:00", "2027-03-28T20:00", {"hour": 0},
                     ["27 22:00"], id="Beirut, midnight is skipped: at 01:00"),
        pytest.param("America/Santiago", "2026-09-06T03:00", "2026-09-07T02:00", {"hour": 0, "minute": 30},
                     ["06 04:30"], id="Santiago, midnight is skipped: 00:30 is at 01:30"),
        pytest.param("America/Santiago", "2027-04-03T23:00", "2027-04-04T12:00", {"hour": 23, "minute": 30},
                     ["04 02:30"], id="Santiago, 23:30 occurs twice: the first time"),
        pytest.param("Africa/Cairo", "2027-04-29T21:00", "2027-04-30T20:00", {"day": "30", "hour": 0, "minute": 5},
                     ["29 22:05"], id="Cairo, 00:05 of a day that begins at 01:00"),
        pytest.param("Pacific/Apia", "2011-12-29T10:00", "2012-01-01T12:00", {"hour": 6},
                     ["29 16:00", "30 16:00", "31 16:00"], id="Apia, a skipped day: the run of the next day stays"),
        pytest.param("Pacific/Apia", "2011-12-29T10:00", "2012-01-01T12:00", {"day": 30, "hour": 6},
                     ["30 16:00"], id="Apia, the run of the skipped day is a day later"),
        pytest.param("Asia/Tokyo", "2027-03-27T20:00", "2027-03-28T22:00", {"hour": 6},
                     ["27 21:00", "28 21:00"], id="Tokyo, no shifts"),
    ],
)  # fmt: skip
def test_runs_in_nights_of_change(
    zone: str, start: str, until: str, fields: dict[str, object], expected: list[str]
) -> None:
    assert instants(zone, start, until, **fields) == expected


def test_the_nominal_time_is_the_wall_time_of_the_fields() -> None:
    trigger = read_trigger("cron", {"hour": 2, "minute": 30}, timezone="Europe/Paris")
    moved = next(occurrences(trigger, after=datetime(2027, 3, 27, 12, tzinfo=UTC)))
    assert f"{moved.nominal:%d %H:%M %Z}" == "28 02:30 CET"
    assert is_moved(moved)
    twice = read_trigger("cron", {"minute": 15}, timezone="Europe/Paris")
    runs = list(islice(occurrences(twice, after=datetime(2026, 10, 25, tzinfo=UTC)), 2))
    assert [(f"{run.nominal:%H:%M %Z}", run.nominal.fold) for run in runs] == [("02:15 CEST", 0), ("02:15 CET", 1)]
    assert not any(map(is_moved, runs))


@pytest.mark.parametrize(
    ("at", "nominal"),
    [
        ("2027-03-28T01:30:00", "2027-03-28T02:30:00+01:00"),
        ("2027-03-28T01:29:59", "2027-03-27T02:30:00+01:00"),
        ("2026-10-25T01:30:00", "2026-10-25T02:30:00+02:00"),
        ("2026-11-23T01:30:00.5", "2026-11-23T02:30:00+01:00"),
    ],
)
def test_the_latest_occurrence_gives_a_run_its_nominal_time(at: str, nominal: str) -> None:
    trigger = read_trigger("cron", {"hour": 2, "minute": 30}, timezone="Europe/Paris")
    latest = latest_occurrence(trigger, at_or_before=datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert latest is not None
    assert latest.nominal.isoformat() == nominal


def test_start_and_end_are_inclusive() -> None:
    fields = {"hour": 6, "start_date": "2027-01-02 06:00:00", "end_date": "2027-01-04 06:00:00"}
    assert instants("UTC", "2027-01-01", "2027-01-09", **fields) == ["02 06:00", "03 06:00", "04 06:00"]
    trigger = read_trigger("cron", fields, timezone="UTC")
    assert latest_occurrence(trigger, at_or_before=datetime(2027, 1, 2, 5, tzinfo=UTC)) is None
    last = latest_occurrence(trigger, at_or_before=datetime(2028, 1, 1, tzinfo=UTC))
    assert last is not None
    assert last.at == datetime(2027, 1, 4, 6, tzinfo=UTC)


def test_a_rare_day_is_found() -> None:
    trigger = read_trigger("cron", {"month": 2, "day": 29, "day_of_week": "sun", "hour": 0}, timezone="UTC")
    following = next(occurrences(trigger, after=datetime(2026, 11, 23, tzinfo=UTC)))
    assert following.at == datetime(2032, 2, 29, tzinfo=UTC)
    latest = latest_occurrence(trigger, at_or_before=datetime(2026, 11, 23, tzinfo=UTC))
    assert latest is not None
    assert latest.at == datetime(2004, 2, 29, tzinfo=UTC)


def test_the_hot_path_gets_the_evaluator_without_apscheduler() -> None:
    script = (
        "import sys\n"
        "from scheduled_tasks.schedule import Trigger, latest_occurrence\n"
        "assert not {'apscheduler', 'tzlocal', 'click', 'jinja2', 'asyncio'} & set(sys.modules), sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
