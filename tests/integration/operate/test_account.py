"""The account case by case: when a host can be audited, what the reasons say, what late reports change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from scheduled_tasks.operate import deployments, pauses
from scheduled_tasks.operate.account import account
from scheduled_tasks.operate.slots import Pause, Scope
from tests.integration.operate.shop import HOURLY, NOON, Database, minutes

if TYPE_CHECKING:
    from collections.abc import Mapping


def deploy(connection: Database, host: str, at: datetime, *jobs: str, **options: object) -> None:
    listed: list[Mapping[str, Any]] = [
        {"clock": "shop", "job": job, "task": f"shop.{job}", "schedule": HOURLY,
         "options": {"catch_up": True, "timeout": 600, **options}}
        for job in jobs
    ]  # fmt: skip
    deployments.report(connection, host, deployments.JobsReport(listed, f"{at}{jobs}{options}", at, at))


def ran(connection: Database, job: str, at: datetime, host: str, status: str = "ended", **columns: object) -> None:
    values = {"started_at": at + timedelta(seconds=1), "ended_at": at + timedelta(seconds=5), **columns}
    names = ", ".join(values)
    connection.execute(
        f"INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, {names})"
        f" VALUES (gen_random_uuid(), 't', 'shop', %s, %s, '', %s, 'timer', %s, {', '.join(['%s'] * len(values))})",
        [job, at, host, status, *values.values()],
    )


def recorded(connection: Database) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT job, scheduled_at, status, host, reason FROM task_run WHERE trigger = 'watch'"
        " ORDER BY scheduled_at, job"
    ).fetchall()


def watch_regularly(connection: Database, host: str, start: datetime, end: datetime) -> None:
    at = start
    while at <= end:
        account(connection, host, at)
        at += timedelta(minutes=1)


def test_a_slot_is_missed_a_minute_after_its_nominal_time_and_not_before(connection: Database) -> None:
    deploy(connection, "app1", minutes(-30), "count")
    watch_regularly(connection, "app1", minutes(-30), minutes(0.9))
    assert recorded(connection) == []
    account(connection, "app1", minutes(1))
    assert recorded(connection) == [("count", NOON, "missed", "app1", "app1 did not start it")]


def test_a_slot_whose_service_is_being_started_is_not_judged_for_a_quarter_of_an_hour(connection: Database) -> None:
    deploy(connection, "app1", minutes(-30), "count", "recount")
    watch_regularly(connection, "app1", minutes(-30), minutes(0))
    for minute in range(1, 16):
        done = account(connection, "app1", minutes(minute), starting=lambda: {("shop", "count"): minutes(0.01)})
        assert done.accounted_until["app1"] == NOON
    recount = ("recount", NOON, "missed", "app1", "app1 did not start it")
    assert recorded(connection) == [recount]
    account(connection, "app1", minutes(16), starting=lambda: {("shop", "count"): minutes(0.01)})
    assert recorded(connection) == [("count", NOON, "missed", "app1", "app1 did not start it"), recount]


def test_a_service_that_has_run_since_before_a_slot_is_not_being_started_for_it(connection: Database) -> None:
    deploy(connection, "app1", minutes(-30), "count")
    watch_regularly(connection, "app1", minutes(-30), minutes(0))
    account(connection, "app1", minutes(1), starting=lambda: {("shop", "count"): minutes(-0.1)})
    assert [row[:3] for row in recorded(connection)] == [("count", NOON, "missed")]


@pytest.mark.parametrize(
    ("options", "overdue_after"),
    [
        ({"jitter": 120}, 3),
        ({"grace": 600}, 11),
        ({"concurrency_limited": True}, 11),
        ({"overlap": "queue"}, 11),
        ({"jitter": 60, "grace": 60, "concurrency_limited": True}, 13),
    ],
)
def test_a_slot_is_overdue_later_with_jitter_grace_or_queueing(
    connection: Database, options: dict[str, object], overdue_after: float
) -> None:
    deploy(connection, "app1", minutes(-30), "count", **options)
    watch_regularly(connection, "app1", minutes(-30), minutes(overdue_after - 0.1))
    assert recorded(connection) == []
    account(connection, "app1", minutes(overdue_after))
    assert [row[:3] for row in recorded(connection)] == [("count", NOON, "missed")]


def test_a_job_is_only_missed_while_it_is_deployed(connection: Database) -> None:
    deploy(connection, "app1", minutes(-30), "count")
    deploy(connection, "app1", minutes(30), "sell")
    watch_regularly(connection, "app1", minutes(30), minutes(70))
    assert [row[:2] for row in recorded(connection)] == [("count", NOON), ("sell", minutes(60))]


def test_a_job_that_is_paused_in_its_clock_file_is_never_due(connection: Database) -> None:
    deploy(connection, "app1", minutes(-30), "count", paused=True)
    watch_regularly(connection, "app1", minutes(-30), minutes(5))
    assert recorded(connection) == []


def test_a_slot_of_two_hosts_is_missed_only_if_neither_ran_it(connection: Database) -> None:
    for host in ("app1", "app2"):
        deploy(connection, host, minutes(-30), "count", "sell")
    ran(connection, "count", NOON, "app2")
    watch_regularly(connection, "app1", minutes(-30), minutes(5))
    assert [row[0] for row in recorded(connection)] == ["sell"]


def test_another_host_accounts_for_a_dead_one_after_five_minutes(connection: Database) -> None:
    for host in ("app1", "app2"):
        deploy(connection, host, minutes(-30), "count", per_host=True)
    for slot_host in ("app1",):
        ran(connection, "count", NOON, slot_host)
        connection.execute("UPDATE task_run SET slot_host = 'app1'")
    watch_regularly(connection, "app2", minutes(-30), minutes(-2))
    watch_regularly(connection, "app1", minutes(-30), minutes(3))
    assert recorded(connection) == []
    account(connection, "app1", minutes(4))
    assert recorded(connection) == [
        ("count", NOON, "missed", "app2", "no heartbeat from app2 since 2026-11-24T11:58:00Z")
    ]  # fmt: skip


def test_after_a_database_outage_no_host_is_considered_dead_at_once(connection: Database) -> None:
    for host in ("app1", "app2"):
        deploy(connection, host, minutes(-30), "count", per_host=True)
        watch_regularly(connection, host, minutes(-30), minutes(-20))
    account(connection, "app1", minutes(20))  # the first heartbeat of any host since then
    assert recorded(connection) == []
    deploy(connection, "app2", minutes(-10))  # which app2 could not report before
    account(connection, "app2", minutes(20.5))
    account(connection, "app1", minutes(21))
    account(connection, "app2", minutes(21.5))
    assert [row[3] for row in recorded(connection)] == ["app1"]


@pytest.mark.parametrize("skew", [-40, 40], ids=["early", "late"])
def test_a_slot_that_a_longer_run_held_up_says_so_even_if_the_hosts_clock_differs(
    connection: Database, skew: int
) -> None:
    deploy(connection, "app1", minutes(-90), "count", timeout=3600 + 60)
    began = minutes(-60) + timedelta(seconds=skew)  # by the database's clock
    ended = minutes(0) + timedelta(seconds=skew + 20)  # twenty seconds after the next slot, by the host's
    ran(connection, "count", minutes(-60), "app1", started_at=began, ended_at=ended, lag=0.5, duration=3619.5)
    watch_regularly(connection, "app1", minutes(-70), minutes(2))
    reason = "the run due at 2026-11-24T11:00:00Z on app1 was still running"
    assert recorded(connection) == [("count", NOON, "skipped", "app1", reason)]


def test_a_slot_that_falls_due_during_the_previous_run_is_skipped(connection: Database) -> None:
    deploy(connection, "app1", minutes(-90), "count", timeout=7200)
    ran(connection, "count", minutes(-60), "app1", "started", ended_at=None, expires_at=minutes(60))
    watch_regularly(connection, "app1", minutes(-70), minutes(2))
    reason = "the run due at 2026-11-24T11:00:00Z on app1 was still running"
    assert recorded(connection) == [("count", NOON, "skipped", "app1", reason)]


def test_slots_before_the_caught_up_one_are_missed_with_that_reason(connection: Database) -> None:
    deploy(connection, "app1", minutes(-30), "count")
    account(connection, "app1", minutes(-20))
    ran(connection, "count", minutes(120), "app1", started_at=minutes(150), ended_at=minutes(151))  # after the boot
    watch_regularly(connection, "app1", minutes(151), minutes(155))
    assert recorded(connection) == [
        ("count", NOON, "missed", "app1", "caught up by the run due at 2026-11-24T14:00:00Z"),
        ("count", minutes(60), "missed", "app1", "caught up by the run due at 2026-11-24T14:00:00Z"),
    ]


@pytest.mark.parametrize("scope", [Scope(), Scope("shop"), Scope("shop", "count"), Scope("shop", "count", "app1")])
def test_a_slot_that_falls_due_in_a_pause_is_skipped_with_its_reason(connection: Database, scope: Scope) -> None:
    deploy(connection, "app1", minutes(-30), "count", "sell")
    pauses.pause(connection, Pause(scope, minutes(-10), "anna", "the till is broken", minutes(10)))
    watch_regularly(connection, "app1", minutes(-30), minutes(62))
    verdicts = {(row[0], row[1]): (row[2], row[4]) for row in recorded(connection)}
    paused, missed = ("skipped", "paused: the till is broken"), ("missed", "app1 did not start it")
    assert verdicts["count", NOON] == paused
    assert verdicts["sell", NOON] == (missed if scope.job else paused)
    assert verdicts["count", minutes(60)] == verdicts["sell", minutes(60)] == missed


def test_a_pause_on_one_of_two_hosts_does_not_excuse_the_other(connection: Database) -> None:
    for host in ("app1", "app2"):
        deploy(connection, host, minutes(-30), "count")
    pauses.pause(connection, Pause(Scope("shop", None, "app1"), minutes(-10), "anna", "a disk", None))
    watch_regularly(connection, "app2", minutes(-30), minutes(2))
    assert recorded(connection) == [("count", NOON, "missed", "", "app2 did not start it")]


def test_many_concurrent_watches_record_every_slot_once(connection: Database, database_url: str) -> None:
    jobs = [f"job_{number}" for number in range(200)]
    deploy(connection, "app1", minutes(-600), *jobs)
    account(connection, "app1", minutes(-300))
    account(connection, "app1", minutes(-299))

    def look(_number: int) -> int:
        with psycopg.connect(database_url, autocommit=True) as own:
            account(own, "app1", minutes(1))
            return len(account(own, "app1", minutes(2)).recorded)

    connection.execute("UPDATE host SET heartbeats_since = %s", [minutes(-600)])
    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(look, range(6)))
    assert sum(numbers) <= 200 * 10
    [row] = connection.execute("SELECT count(*), count(DISTINCT (job, scheduled_at)) FROM task_run").fetchall()
    assert row == (200 * 10, 200 * 10)


def test_reporting_the_same_jobs_again_changes_nothing(connection: Database) -> None:
    deploy(connection, "app1", minutes(-30), "count", "sell")
    deploy(connection, "app1", minutes(-30), "count", "sell")
    deploy(connection, "app1", minutes(10), "count", grace=60)
    rows = connection.execute(
        "SELECT job, valid_from, valid_until FROM deployed_job ORDER BY job, valid_from"
    ).fetchall()
    assert rows == [
        ("count", minutes(-30), minutes(10)), ("count", minutes(10), None), ("sell", minutes(-30), minutes(10)),
    ]  # fmt: skip


def test_a_pause_on_the_host_that_is_audited_first_does_not_excuse_the_other(connection: Database) -> None:
    for host in ("app1", "app2"):
        deploy(connection, host, minutes(-30), "count")
        watch_regularly(connection, host, minutes(-30), minutes(0))
    pauses.pause(connection, Pause(Scope("shop", None, "app1"), minutes(-10), "anna", "a disk", None))
    account(connection, "app1", minutes(1))  # app2's last heartbeat is from before the slot was overdue
    assert recorded(connection) == [("count", NOON, "missed", "", "no heartbeat from app2 since 2026-11-24T12:00:00Z")]


def test_a_slot_recorded_as_paused_is_judged_again_when_a_host_reports_that_the_pause_had_ended(
    connection: Database,
) -> None:
    deploy(connection, "app1", minutes(-30), "count")
    by_file = Pause(Scope("shop", None, "app1"), minutes(-20), "anna", "a disk", None, local_id="one")
    pauses.report(connection, [by_file])
    watch_regularly(connection, "app1", minutes(-20), minutes(2))
    assert [row[2] for row in recorded(connection)] == ["skipped"]
    pauses.report(connection, [replace(by_file, resumed_at=minutes(-10), resumed_by="anna")])
    account(connection, "app1", minutes(3))
    assert [row[2] for row in recorded(connection)] == ["missed"]


def test_a_claim_that_is_not_committed_keeps_no_other_slot_from_the_account(
    connection: Database, database_url: str
) -> None:
    jobs = [f"count_{number}" for number in range(6)]
    deploy(connection, "app1", minutes(-30), *jobs)
    watch_regularly(connection, "app1", minutes(-30), minutes(0.9))
    with psycopg.connect(database_url) as task:
        ran(task, "count_2", NOON, "app2", status="started", ended_at=None)
        assert account(connection, "app1", minutes(1)).accounted_until == {"app1": NOON}
        assert [row[0] for row in recorded(connection)] == [job for job in jobs if job != "count_2"]
        task.rollback()
    assert account(connection, "app1", minutes(2)).accounted_until == {"app1": minutes(2)}
    assert [row[0] for row in recorded(connection)] == jobs
