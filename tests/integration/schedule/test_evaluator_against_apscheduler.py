"""Away from the moves of a zone's clock, the evaluator fires when APScheduler itself would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduled_tasks.faults import FaultsError
from scheduled_tasks.schedule import latest_occurrence, occurrences, read_trigger

from .oracle import EXAMPLES, ZONES, Made, moves, triggers

FIELDS = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")


def away(zone: str, start: datetime) -> datetime:
    """A start from which the zone's clock is not moved for a while."""
    found = [day for day in moves(zone) if start - timedelta(days=3) < day < start + timedelta(days=3)]
    return found[0] + timedelta(days=3) if found else start


def until_next_move(zone: str, start: datetime) -> datetime:
    return next((day for day in moves(zone) if day > start), start + timedelta(days=400)) - timedelta(days=1)


def fired_by(theirs: Any, start: datetime, zone: str, count: int, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    previous, now = None, start.astimezone(ZoneInfo(zone))
    while len(found) < count:
        previous = theirs.get_next_fire_time(previous, now)
        if previous is None or previous.astimezone(UTC) > end:
            break
        found.append(previous.astimezone(UTC))
        now = previous + timedelta(microseconds=1)
    return found


@settings(settings.get_profile("schedule"), max_examples=EXAMPLES or 1200)
@given(
    made=triggers(),
    leave=st.sets(st.sampled_from(FIELDS[5:])),
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2026, 12, 1), datetime(2036, 6, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_cron_fires_with_apscheduler(made: Made, leave: set[str], zone: str, start: datetime) -> None:
    fields = {name: value for name, value in made.fields.items() if name not in leave}
    start = away(zone, start.replace(microsecond=0))
    end = until_next_move(zone, start)
    try:
        ours = read_trigger("cron", fields, timezone=zone)
    except FaultsError:
        assert CronTrigger(**fields, timezone=zone).get_next_fire_time(None, start) is None
        return
    theirs = CronTrigger(**fields, timezone=zone)
    expected = fired_by(theirs, start, zone, 12, end)
    found = list(islice(occurrences(ours, after=start - timedelta(microseconds=1), until=end), 12))
    assert [each.at for each in found] == expected
    assert [each.nominal.replace(tzinfo=None) for each in found] == [
        at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in expected
    ]
    for each in found:
        assert latest_occurrence(ours, at_or_before=each.at + timedelta(microseconds=900)) == each
    for early, late in pairwise(found):
        assert latest_occurrence(ours, at_or_before=late.at - timedelta(seconds=1)) == early


@settings(settings.get_profile("schedule"), max_examples=EXAMPLES or 200)
@given(
    units=st.dictionaries(
        st.sampled_from(("weeks", "days", "hours", "minutes", "seconds")), st.integers(1, 40), min_size=1
    ),
    phase=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
)
def test_interval_fires_with_apscheduler(units: dict[str, int], phase: datetime, zone: str) -> None:
    phase = phase.replace(microsecond=0)
    start = datetime(2027, 1, 5, 3, 2, 1, tzinfo=UTC)
    ours = read_trigger("interval", {**units, "start_date": phase}, timezone=zone)
    theirs = IntervalTrigger(**units, start_date=phase, timezone=zone)
    expected = fired_by(theirs, start, zone, 8, datetime(2050, 1, 1, tzinfo=UTC))
    found = [each.at for each in islice(occurrences(ours, after=start - timedelta(microseconds=1)), 8)]
    assert found == expected


@pytest.mark.parametrize(
    ("fields", "start", "expected"),
    [
        pytest.param(
            {"month": "6-8,11-12", "day": "3rd fri", "hour": "0-3"},
            datetime(2026, 6, 1, tzinfo=UTC),
            ["2026-06-19T00:00", "2026-06-19T01:00", "2026-06-19T02:00", "2026-06-19T03:00", "2026-07-17T00:00"],
            id="documented: third Fridays of some months, four hours",
        ),
        pytest.param(
            {"day_of_week": "mon-fri", "hour": 5, "minute": 30, "end_date": "2026-05-30"},
            datetime(2026, 5, 28, 12, tzinfo=UTC),
            ["2026-05-29T05:30"],
            id="documented: weekdays at half past five until a date",
        ),
    ],
)
def test_apschedulers_documented_examples(fields: dict[str, Any], start: datetime, expected: list[str]) -> None:
    trigger = read_trigger("cron", fields, timezone="UTC")
    found = [f"{each.at:%Y-%m-%dT%H:%M}" for each in islice(occurrences(trigger, after=start), 5)]
    assert found == expected
