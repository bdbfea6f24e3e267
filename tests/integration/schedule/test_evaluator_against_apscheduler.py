"""Away from shifts, the evaluator fires when APScheduler does."""

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

from .oracle import EXAMPLES, ZONES, Generated, days_of_change, triggers

pytestmark = pytest.mark.thorough

FIELDS = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")


def away_from_shifts(zone: str, start: datetime) -> datetime:
    """A start without a shift near it."""
    near = [day for day in days_of_change(zone) if start - timedelta(days=3) < day < start + timedelta(days=3)]
    return near[0] + timedelta(days=3) if near else start


def until_next_shift(zone: str, start: datetime) -> datetime:
    return next((day for day in days_of_change(zone) if day > start), start + timedelta(days=400)) - timedelta(days=1)


def fired_by(theirs: Any, start: datetime, zone: str, count: int, end: datetime) -> list[datetime]:
    fired: list[datetime] = []
    previous, now = None, start.astimezone(ZoneInfo(zone))
    while len(fired) < count:
        previous = theirs.get_next_fire_time(previous, now)
        if previous is None or previous.astimezone(UTC) > end:
            break
        fired.append(previous.astimezone(UTC))
        now = previous + timedelta(microseconds=1)
    return fired


@settings(settings.get_profile("schedule"), max_examples=EXAMPLES or 1200)
@given(
    generated=triggers(),
    leave=st.sets(st.sampled_from(FIELDS[5:])),
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2026, 12, 1), datetime(2036, 6, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_cron_fires_when_apscheduler_does(generated: Generated, leave: set[str], zone: str, start: datetime) -> None:
    fields = {name: value for name, value in generated.fields.items() if name not in leave}
    start = away_from_shifts(zone, start.replace(microsecond=0))
    end = until_next_shift(zone, start)
    try:
        ours = read_trigger("cron", fields, timezone=zone)
    except FaultsError:
        assert CronTrigger(**fields, timezone=zone).get_next_fire_time(None, start) is None
        return
    theirs = CronTrigger(**fields, timezone=zone)
    expected = fired_by(theirs, start, zone, 12, end)
    runs = list(islice(occurrences(ours, after=start - timedelta(microseconds=1), until=end), 12))
    assert [run.at for run in runs] == expected
    assert [run.nominal.replace(tzinfo=None) for run in runs] == [
        at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in expected
    ]
    for run in runs:
        assert latest_occurrence(ours, at_or_before=run.at + timedelta(microseconds=900)) == run
    for early, late in pairwise(runs):
        assert latest_occurrence(ours, at_or_before=late.at - timedelta(seconds=1)) == early


@settings(settings.get_profile("schedule"), max_examples=EXAMPLES or 200)
@given(
    units=st.dictionaries(
        st.sampled_from(("weeks", "days", "hours", "minutes", "seconds")), st.integers(1, 40), min_size=1
    ),
    phase=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
)
def test_interval_fires_when_apscheduler_does(units: dict[str, int], phase: datetime, zone: str) -> None:
    phase = phase.replace(microsecond=0)
    start = datetime(2027, 1, 5, 3, 2, 1, tzinfo=UTC)
    ours = read_trigger("interval", {**units, "start_date": phase}, timezone=zone)
    theirs = IntervalTrigger(**units, start_date=phase, timezone=zone)
    expected = fired_by(theirs, start, zone, 8, datetime(2050, 1, 1, tzinfo=UTC))
    fired = [run.at for run in islice(occurrences(ours, after=start - timedelta(microseconds=1)), 8)]
    assert fired == expected


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
def test_apschedulers_documented_examples_fire_at_their_times(
    fields: dict[str, Any], start: datetime, expected: list[str]
) -> None:
    trigger = read_trigger("cron", fields, timezone="UTC")
    fired = [f"{run.at:%Y-%m-%dT%H:%M}" for run in islice(occurrences(trigger, after=start), 5)]
    assert fired == expected
