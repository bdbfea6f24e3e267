"""Verdicts: a slot without a row is skipped or missed, and the reason says why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduled_tasks.operate.slots import DeployedJob, Pause, RunInterval, Scope, Slot
from scheduled_tasks.operate.verdicts import overdue, verdict
from scheduled_tasks.run.status import RunStatus
from scheduled_tasks.schedule.trigger import Trigger

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SLOT = Slot("shop", "count", NOON)
HOURLY = Trigger.from_json({"kind": "cron", "zone": "UTC", "minutes": [0], "seconds": [0]})
MISSED, SKIPPED = RunStatus.MISSED, RunStatus.SKIPPED


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def deployed(host: str = "app1", **options: Any) -> DeployedJob:
    return DeployedJob(host, "shop", "count", "shop.count", HOURLY, options, minutes(-600))


def pause(host: str | None, began: float, reason: str = "a disk") -> Pause:
    return Pause(Scope("shop", None, host), minutes(began), "anna", reason, None)


def run(scheduled: float | None, started: float, ended: float | None, host: str = "app1") -> RunInterval:
    scheduled_at = None if scheduled is None else minutes(scheduled)
    return RunInterval(host, scheduled_at, minutes(started), None if ended is None else minutes(ended))


def judge(*hosts: str, pauses: tuple[Pause, ...] = (), runs: tuple[RunInterval, ...] = (), **options: Any) -> Any:
    jobs = [deployed(host, **options) for host in hosts or ("app1",)]
    judged = verdict(jobs[0].slot(NOON), jobs, pauses, runs, {"app1": minutes(5), "app2": minutes(-2)})
    return judged.status, judged.reason


def test_a_slot_becomes_overdue_once_in_the_windows_of_its_host() -> None:
    job = deployed()
    assert overdue([job], {"app1": (NOON, minutes(0.9))}) == {}
    assert overdue([job], {"app1": (minutes(0.9), minutes(1))}) == {SLOT: [job]}
    assert overdue([job], {"app1": (minutes(1), minutes(60))}) == {}
    assert overdue([job], {"app2": (NOON, minutes(60))}) == {}


def test_without_an_explanation_the_host_did_not_start_it() -> None:
    assert judge() == (MISSED, "app1 did not start it")


def test_a_host_whose_last_heartbeat_is_older_than_the_slot_is_named_with_it() -> None:
    assert judge("app1", "app2") == (
        MISSED, "app1 did not start it; no heartbeat from app2 since 2026-11-24T11:58:00Z",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hosts", "per_host", "host"), [(["app1"], False, "app1"), (["app1", "app2"], False, ""), (["app2"], True, "app2")]
)
def test_the_row_names_the_only_host_that_could_have_run_the_slot(
    hosts: list[str], host: str, *, per_host: bool
) -> None:
    jobs = [deployed(name, per_host=per_host) for name in hosts]
    assert verdict(jobs[0].slot(NOON), jobs, [], [], {}).host == host


def test_a_slot_is_skipped_if_all_hosts_were_paused_with_the_latest_reason() -> None:
    both = (pause(None, -30, "the move"), pause("app1", -10), pause("app2", -20))
    assert judge("app1", "app2", pauses=both) == (SKIPPED, "paused: a disk")
    assert judge("app1", "app2", pauses=both[1:2])[0] == MISSED
    assert judge("app1", "app2", pauses=both[1:2]) == (MISSED, "no heartbeat from app2 since 2026-11-24T11:58:00Z")


@pytest.mark.parametrize(
    ("interval", "which"),
    [
        (run(-60, -60, None), "due at 2026-11-24T11:00:00Z on app1"),
        (run(None, -5, 0), "of 2026-11-24T11:55:00Z on app1"),
        (run(-60, -60, 30, "app2"), "due at 2026-11-24T11:00:00Z on app2"),
    ],
)
def test_a_slot_that_fell_due_during_another_run_is_skipped(interval: RunInterval, which: str) -> None:
    assert judge(runs=(interval,)) == (SKIPPED, f"the run {which} was still running")


def test_a_slot_that_fell_due_while_the_run_before_it_waited_for_its_start_is_skipped() -> None:
    waited = run(-1, 3, 5)._replace(is_timers=True)  # for a lock (concurrency), or on a busy machine
    reason = "the run due at 2026-11-24T11:59:00Z on app1 was still running"
    assert judge(runs=(waited,)) == (SKIPPED, reason)
    by_hand = waited._replace(is_timers=False)  # a backfill
    assert judge(runs=(by_hand,)) == (MISSED, "app1 did not start it")


def test_with_per_host_the_run_of_another_host_does_not_matter() -> None:
    assert judge(runs=(run(-60, -60, 30, "app2"),), per_host=True)[0] == MISSED


def test_a_run_that_ended_before_the_slot_does_not_explain_it() -> None:
    assert judge(runs=(run(-60, -60, -1),)) == (MISSED, "app1 did not start it")


@pytest.mark.parametrize(
    ("late_by", "jitter", "reason"),
    [
        (30, 0, "caught up by the run due at 2026-11-24T13:00:00Z"),
        (0.05, 0, "app1 did not start it"),
        (1.05, 60, "app1 did not start it"),
        (1.2, 60, "caught up by the run due at 2026-11-24T13:00:00Z"),
    ],
    ids=["after a boot", "in time", "within its jitter", "after its jitter"],
)
def test_a_slot_before_one_that_was_started_late_is_caught_up(late_by: float, jitter: int, reason: str) -> None:
    assert judge(runs=(run(60, 60 + late_by, 95),), jitter=jitter) == (MISSED, reason)


def test_a_late_run_of_another_host_catches_up_no_slot_of_a_hosts_own() -> None:
    late = run(60, 62, 63, host="app1")
    assert judge("app2", runs=(late,), per_host=True) == (
        MISSED,
        "no heartbeat from app2 since 2026-11-24T11:58:00Z",
    )
    assert judge("app2", runs=(late._replace(host="app2"),), per_host=True)[1].startswith("caught up by the run due at")
