"""The nominal time of a run that a timer started: the slot for which the timer elapsed by its host's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduled_tasks.run.nominal import nominal_time
from scheduled_tasks.schedule.trigger import Cron, Interval, Trigger

HOURLY = Cron(zone="UTC", minutes=(0,))
DAILY = Cron(zone="Europe/Paris", hours=(6,), minutes=(0,))
SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
TRIGGERS = [
    HOURLY,
    DAILY,
    Cron(zone="UTC"),
    Cron(zone="Europe/Paris", hours=(2,), minutes=(30,)),
    Interval(zone="UTC", every=7 * 60),
    Interval(zone="UTC", every=30),
]
SECONDS = st.integers(0, 400 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-24T{text}+00:00")


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [("06:00:00", "06:00"), ("06:00:00.2", "06:00"), ("06:59:40", "06:00"), ("05:59:59.9", "05:00")],
)
def test_an_hourly_jobs_slot(elapsed: str, expected: str) -> None:
    assert nominal_time(HOURLY, at(elapsed)) == at(expected)


def test_there_is_no_slot_before_the_first() -> None:
    assert nominal_time(Interval(zone="UTC", every=60, start=SIX), at("05:59")) is None


@given(st.sampled_from(TRIGGERS), SECONDS, st.floats(0, 0.49))
def test_hosts_whose_clocks_differ_find_the_slot_that_their_own_timer_elapsed_for(
    trigger: Trigger, about: datetime, late: float
) -> None:
    """A host's timer elapses by that host's clock; however wrong that is, the slot is the same."""
    slot = nominal_time(trigger, about)
    assert slot is not None
    assert nominal_time(trigger, slot + timedelta(seconds=late)) == slot
