"""The nominal time of a timer's start: what systemd's timer elapsed for, by whatever the host's clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scheduled_tasks.run.nominal import TOLERANCE, nominal_time
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
    ("now", "previous", "expected"),
    [
        ("06:00:00.2", None, "06:00"),  # the first time ever
        ("06:00:00.2", "05:00", "06:00"),
        ("06:59:40", "05:00", "06:00"),  # caught up: the machine was off at six
        ("06:59:40", "06:00", "07:00"),  # elapsed for six before: since it elapsed for seven the clock was set back
        ("06:58:30", "06:00", "06:00"),  # set back by more than a minute: not known
        ("06:10:00", "06:00", "06:00"),
        ("06:00:00", "05:59:59.9", "06:00"),
        ("06:59:40", "07:00", "06:00"),  # the clock was set back before that too
    ],
)
def test_an_hourly_jobs_slot(now: str, previous: str | None, expected: str) -> None:
    assert nominal_time(HOURLY, at(now), at(previous) if previous else None) == at(expected)


def test_before_the_first_there_is_none() -> None:
    assert nominal_time(Interval(zone="UTC", every=60, start=SIX), at("05:59")) is None


@given(st.sampled_from(TRIGGERS), SECONDS, st.floats(0, 0.49))
def test_hosts_whose_clocks_differ_find_the_slot_that_their_own_timer_elapsed_for(
    trigger: Trigger, about: datetime, late: float
) -> None:
    """A host's timer elapses by that host's clock: however wrong it is, the slot is the same."""
    slot = nominal_time(trigger, about)
    assert slot is not None
    for previous in (None, slot - timedelta(seconds=1)):
        assert nominal_time(trigger, slot + timedelta(seconds=late), previous) == slot


@given(st.sampled_from(TRIGGERS), SECONDS, st.floats(0.001, 59.9))
def test_a_clock_set_back_after_the_timer_elapsed_changes_nothing(
    trigger: Trigger, about: datetime, back: float
) -> None:
    slot = nominal_time(trigger, about)
    assert slot is not None
    now = slot - timedelta(seconds=back)
    before = nominal_time(trigger, now)
    assert before is not None
    assume(slot - now < (slot - before) / 2)  # of two slots nearer than that one can't tell
    assert nominal_time(trigger, now, previous=before + timedelta(milliseconds=300)) == slot
    # A catch-up of the slot before stays that, however near the next one is.
    assert nominal_time(trigger, now, previous=before - timedelta(hours=1)) == before


def test_the_tolerance_is_a_minute() -> None:
    assert timedelta(minutes=1) == TOLERANCE
