"""Deployed jobs and pauses as values: which slots are due, when they are overdue, what a pause blocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduled_tasks.operate.slots import DeployedJob, Pause, Scope, Slot
from scheduled_tasks.schedule.trigger import Trigger

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOURLY = Trigger.from_json({"kind": "cron", "zone": "UTC", "minutes": [0], "seconds": [0]})


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def deployed(valid_from: datetime = NOON, valid_until: datetime | None = None, **options: Any) -> DeployedJob:
    return DeployedJob("app1", "shop", "count", "shop.count", HOURLY, options, valid_from, valid_until)


EVERYTHING = Scope()


def pause(scope: Scope = EVERYTHING, **values: Any) -> Pause:
    return Pause(**{"scope": scope, "at": NOON, "by": "anna", "reason": "a disk", "until": None, **values})


@pytest.mark.parametrize(
    ("options", "overdue_after"),
    [
        ({}, 1),
        ({"jitter": 120}, 3),
        ({"grace": 600}, 11),
        ({"concurrency_limited": True, "timeout": 600}, 11),
        ({"overlap": "queue", "timeout": 600}, 11),
        ({"overlap": "skip", "timeout": 600}, 1),
        ({"jitter": 60, "grace": 60, "concurrency_limited": True}, 63),
    ],
)
def test_a_slot_is_overdue_after_jitter_grace_a_minute_and_queueing(
    options: dict[str, Any], overdue_after: float
) -> None:
    assert deployed(**options).overdue_after == timedelta(minutes=overdue_after)


def test_a_job_is_due_after_its_deployment_began_and_up_to_its_end() -> None:
    job = deployed(NOON, minutes(120))
    assert list(job.due(minutes(-600), minutes(600))) == [minutes(60), minutes(120)]
    assert list(job.due(minutes(60), minutes(90))) == []


def test_a_job_that_is_paused_in_its_clock_file_is_never_due() -> None:
    assert list(deployed(paused=True).due(NOON, minutes(600))) == []


def test_a_slot_belongs_to_its_host_only_with_per_host() -> None:
    assert deployed().slot(NOON) == Slot("shop", "count", NOON, "")
    assert deployed(per_host=True).slot(NOON) == Slot("shop", "count", NOON, "app1")


@pytest.mark.parametrize(
    ("slot", "due"),
    [
        (Slot("shop", "count", minutes(60)), True),
        (Slot("shop", "count", minutes(61)), False),
        (Slot("shop", "count", NOON), False),  # before the deployment counted
        (Slot("shop", "count", minutes(60), "app1"), False),
        (Slot("shop", "sell", minutes(60)), False),
    ],
)
def test_a_deployment_knows_its_slots(slot: Slot, *, due: bool) -> None:
    assert deployed().is_due(slot) is due


@pytest.mark.parametrize(
    ("values", "end"),
    [
        ({}, None),
        ({"until": minutes(10)}, minutes(10)),
        ({"until": minutes(10), "resumed_at": minutes(5)}, minutes(5)),
        ({"until": minutes(10), "resumed_at": minutes(15)}, minutes(10)),
        ({"local_id": "one", "until": minutes(10), "resumed_at": minutes(15)}, minutes(15)),
        ({"local_id": "one", "until": minutes(10)}, minutes(10)),
    ],
    ids=["open", "until", "resumed before", "resumed after", "file removed after", "of a dead host"],
)
def test_a_pause_ends_when_it_is_resumed_or_at_its_until(values: dict[str, Any], end: datetime | None) -> None:
    assert pause(**values).end == end


@pytest.mark.parametrize(
    ("scope", "everywhere", "on_app1"),
    [
        (Scope(), True, True),
        (Scope("shop"), True, True),
        (Scope("shop", "count"), True, True),
        (Scope("shop", "sell"), False, False),
        (Scope("till"), False, False),
        (Scope("shop", "count", "app1"), False, True),
        (Scope(None, None, "app2"), False, False),
    ],
    ids=str,
)
def test_a_pause_covers_the_jobs_of_its_scope(scope: Scope, *, everywhere: bool, on_app1: bool) -> None:
    assert (pause(scope).covers("shop", "count"), pause(scope).covers("shop", "count", "app1")) == (everywhere, on_app1)


@pytest.mark.parametrize(
    ("began", "ended", "blocked"),
    [(-10, None, True), (-10, 0, False), (-10, 1, True), (2, None, True), (3, None, False)],
)
def test_a_pause_blocks_a_slot_that_could_have_started_in_it(
    began: float, ended: float | None, *, blocked: bool
) -> None:
    until = None if ended is None else minutes(ended)
    slot = Slot("shop", "count", NOON)
    assert pause(at=minutes(began), until=until).blocked(slot, "app1", minutes(2)) is blocked


def test_a_pause_is_shown_in_one_line() -> None:
    shown = str(pause(Scope("shop", "count", "app1"), until=minutes(60)))
    assert shown == "shop/count on app1 since 2026-11-24T12:00:00Z until 2026-11-24T13:00:00Z by anna: a disk"
    assert str(pause()) == "all clocks since 2026-11-24T12:00:00Z by anna: a disk"
