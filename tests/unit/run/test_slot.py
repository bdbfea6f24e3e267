"""A timer that elapses more often than its interval: which of its starts run which slot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduled_tasks.deploy import start_requests
from scheduled_tasks.render.names import Places
from scheduled_tasks.run import arguments
from scheduled_tasks.run.current import Run
from scheduled_tasks.run.slot import NotDueError, find_slot, timers_slot
from scheduled_tasks.run.start_cause import StartCause
from scheduled_tasks.schedule.trigger import Interval

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVERY_SEVEN_MINUTES = Interval(zone="UTC", every=420, start=NOON)
DAILY = Interval(zone="UTC", every=86_460, start=NOON)
BOOTED = 1000.0  # seconds of CLOCK_MONOTONIC at noon


def slot_of(elapsed: float, late: float, since_previous: float = 59) -> datetime | None:
    """The slot of a start: when its timer elapsed, in minutes after noon, and how many seconds later it runs.

    The previous run ended `since_previous` seconds before the timer elapsed.
    """
    at = NOON + timedelta(minutes=elapsed)
    monotonic = BOOTED + elapsed * 60
    cause = StartCause(monotonic, at, monotonic - since_previous)
    return timers_slot(Run("shop.count", "count"), EVERY_SEVEN_MINUTES, at + timedelta(seconds=late), cause, 60)


@pytest.mark.parametrize("late", [0, 1, 3, 59, 61, 119, 300])
def test_a_start_for_a_slot_runs_it_however_late(late: float) -> None:
    assert slot_of(7, late) == NOON + timedelta(minutes=7)


@pytest.mark.parametrize(("elapsed", "late"), [(1, 0), (1, 3), (6, 0), (6, 59), (8, 0), (8, 61), (13, 59)])
def test_a_start_between_two_slots_runs_none(elapsed: float, late: float) -> None:
    with pytest.raises(NotDueError):
        slot_of(elapsed, late)


def test_a_start_that_queued_until_a_slot_was_due_runs_it() -> None:
    """While it waits, for a lock for example, its timer does not elapse again."""
    assert slot_of(5, 150) == NOON + timedelta(minutes=7)


def test_a_timer_that_had_to_wait_for_the_previous_run_starts_what_fell_due_meanwhile() -> None:
    assert slot_of(9.5, 1, since_previous=0.2) == NOON + timedelta(minutes=7)


@pytest.mark.parametrize("late", [0, 1, 3, 59, 61, 300, 800])
def test_a_start_for_a_slot_runs_it_however_late_also_if_systemd_does_not_answer(late: float) -> None:
    """As while hundreds of services start; the run has no unit here, so it asks nobody."""
    now = NOON + timedelta(seconds=late)
    run = Run("shop.count", "count")
    assert timers_slot(run, DAILY, now, None, 60) == NOON


def test_a_slot_that_is_older_than_any_start_can_queue_is_not_run() -> None:
    with pytest.raises(NotDueError):
        timers_slot(Run("shop.count", "count"), DAILY, NOON + timedelta(minutes=16), None, 60)


def test_a_delay_by_jitter_is_the_slots_own() -> None:
    assert slot_of(7 + 50 / 60, 1) == NOON + timedelta(minutes=7)


def test_a_start_by_hand_has_no_slot() -> None:
    cause = StartCause(BOOTED, NOON, BOOTED + 30)  # the timer has not elapsed since the previous run ended
    run = Run("shop.count", "count")
    assert timers_slot(run, EVERY_SEVEN_MINUTES, NOON + timedelta(seconds=200), cause, 60) is None
    assert run.trigger == "manual"


def test_a_requested_run_has_the_id_that_its_request_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places, unit, run_id = Places(tmp_path), "clock-shop-count.service", "50000001-0000-4000-8000-000000000000"
    assert start_requests.requested_run(places, unit) == ""
    start_requests.write(places, unit, at=NOON, trigger="manual", run_id=run_id)
    assert start_requests.requested_run(places, unit) == run_id
    for line in (places.start_requests / "clock-shop-count").read_text().splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    run = Run("shop.count", "count")
    command_line = arguments.parse(["shop.count"])
    assert command_line
    find_slot(run, command_line)
    assert (run.run_id, run.scheduled_at, run.trigger) == (run_id, NOON, "manual")
    start_requests.write(places, unit, at=NOON, trigger="manual")
    assert start_requests.requested_run(places, unit) == ""
