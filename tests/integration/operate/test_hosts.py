"""A host is its machine ID: a second machine of a name is refused, a renamed one goes on, a gone one is let go of."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest

from scheduled_tasks.errors import UsageError
from scheduled_tasks.operate import deployments, hosts, pauses, status
from scheduled_tasks.operate.account import account
from scheduled_tasks.operate.hosts import Machine, OtherMachineError, RestartedError, check_in, forget
from scheduled_tasks.operate.slots import Pause, Scope
from tests.integration.operate.shop import HOURLY, NOON, Database, minutes

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class Box:
    """A machine with a disk, and when it was booted."""

    name: str
    machine_id: UUID
    booted_at: datetime

    def at(self, now: datetime) -> Machine:
        """The machine as it reads itself at an instant."""
        return Machine(self.name, self.machine_id, self.booted_at, now - self.booted_at)

    def watch(self, connection: Database, now: datetime) -> str:
        """Look once, as the watch does; return the former name."""
        former = check_in(connection, self.at(now), now)
        account(connection, self.name, now)
        return former

    def watch_regularly(self, connection: Database, start: datetime, end: datetime) -> None:
        at = start
        while at <= end:
            self.watch(connection, at)
            at += timedelta(minutes=1)


def box(name: str) -> Box:
    return Box(name, uuid4(), minutes(-600))


def deploy(connection: Database, host: str, at: datetime, *jobs: str, **options: object) -> None:
    listed: list[Mapping[str, Any]] = [
        {"clock": "shop", "job": job, "task": f"shop.{job}", "schedule": HOURLY,
         "options": {"catch_up": True, "timeout": 600, **options}}
        for job in jobs
    ]  # fmt: skip
    deployments.report(connection, host, deployments.JobsReport(listed, f"{at}{jobs}", at, at, "anna"))


def started(connection: Database, job: str, host: str, **columns: object) -> None:
    values = {"scheduled_at": NOON, "slot_host": "", "status": "started", "started_at": NOON,
              "expires_at": datetime(2100, 1, 1, tzinfo=UTC), "is_idempotent": False, **columns}  # fmt: skip
    connection.execute(
        f"INSERT INTO task_run (run_id, task, clock, job, host, trigger, {', '.join(values)})"
        f" VALUES (gen_random_uuid(), 't', 'shop', %s, %s, 'timer', {', '.join(['%s'] * len(values))})",
        [job, host, *values.values()],
    )


def slots(connection: Database) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT job, scheduled_at, slot_host, host, status, reason FROM task_run ORDER BY scheduled_at, job, slot_host"
    ).fetchall()


def test_the_machine_id_is_hashed_as_systemd_does() -> None:
    machine_id = UUID(hosts.MACHINE_ID.read_text().strip())
    command = ["systemd-id128", "machine-id", f"--app-specific={hosts.APPLICATION.hex}"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert hosts.app_specific(machine_id).hex == printed.strip()


def test_a_second_machine_of_a_name_is_refused_however_long_the_first_is_silent(connection: Database) -> None:
    first, second = box("app1"), box("app1")
    first.watch(connection, minutes(0))
    for now in (minutes(0.1), minutes(100)):
        with pytest.raises(OtherMachineError, match=r"clocks forget-host app1"):
            second.watch(connection, now)
        with pytest.raises(OtherMachineError):
            hosts.require_own_name(connection, second.at(now), now)
    first.watch(connection, minutes(101))


def test_a_restarted_machine_waits_until_its_former_boot_is_surely_over(connection: Database) -> None:
    machine = box("app1")
    machine.watch(connection, minutes(0))
    machine.booted_at = minutes(0.5)
    with pytest.raises(RestartedError, match=r"until 2026-11-24 12:02:00Z"):
        machine.watch(connection, minutes(1))
    hosts.require_own_name(connection, machine.at(minutes(1)), minutes(1))
    machine.watch(connection, minutes(2))
    machine.watch(connection, minutes(3))


def test_of_two_clones_the_later_one_is_refused_and_the_first_goes_on(connection: Database) -> None:
    first = box("app1")
    first.watch(connection, minutes(0))
    clone = Box("app1", first.machine_id, minutes(0.2))
    with pytest.raises(RestartedError):
        clone.watch(connection, minutes(0.9))
    for number in range(1, 5):
        first.watch(connection, minutes(number))
        with pytest.raises(OtherMachineError, match="clone"):
            clone.watch(connection, minutes(number + 0.9))


def test_two_machines_that_check_in_at_once_do_not_both_get_the_name(connection: Database, database_url: str) -> None:
    first, second = box("app1"), box("app1")
    with psycopg.connect(database_url, autocommit=True) as other, connection.transaction():
        check_in(connection, first.at(NOON), NOON)
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            check_in(other, second.at(NOON), NOON)
    with pytest.raises(OtherMachineError):
        check_in(connection, second.at(NOON), NOON)


def test_a_renamed_machine_goes_on_under_its_new_name(connection: Database) -> None:
    machine = box("app1")
    machine.watch(connection, minutes(-30))
    deploy(connection, "app1", minutes(-30), "each", "late", per_host=True, grace=600)
    machine.watch_regularly(connection, minutes(-29), minutes(4))
    started(connection, "each", "app1", slot_host="app1")
    pauses.pause(connection, Pause(Scope("till", None, "app1"), NOON, "anna", "a disk", None))
    machine.name = "web1"
    assert machine.watch(connection, minutes(5)) == "app1"
    [row] = connection.execute("SELECT name FROM host").fetchall()
    assert row == ("web1",)
    assert [(job.host, job.job) for job in deployments.deployed_now(connection)] == [("web1", "each"), ("web1", "late")]
    assert connection.execute("SELECT DISTINCT deployed_by FROM deployed_job").fetchall() == [("anna",)]
    assert [pause.scope.host for pause in pauses.active(connection, minutes(5))] == ["web1"]
    machine.watch_regularly(connection, minutes(6), minutes(15))
    # The open run goes on, and the slot that nobody started is missed once, by the new name.
    assert slots(connection) == [
        ("each", NOON, "web1", "web1", "started", None),
        ("late", NOON, "web1", "web1", "missed", "web1 did not start it"),
    ]


def test_what_a_renamed_machine_had_decided_keeps_the_old_name(connection: Database) -> None:
    machine = box("app1")
    machine.watch(connection, minutes(-90))
    deploy(connection, "app1", minutes(-90), "each", per_host=True)
    machine.watch_regularly(connection, minutes(-89), minutes(0))
    machine.name = "web1"
    machine.watch_regularly(connection, minutes(1), minutes(10))
    assert slots(connection) == [
        ("each", minutes(-60), "app1", "app1", "missed", "app1 did not start it"),
        ("each", NOON, "app1", "app1", "missed", "app1 did not start it"),
    ]


def test_a_clone_with_a_name_of_its_own_is_a_host_of_its_own_and_is_found(connection: Database) -> None:
    first = box("app1")
    first.watch(connection, minutes(0))
    clone = Box("app2", first.machine_id, minutes(-5))
    assert clone.watch(connection, minutes(0.5)) == ""
    assert first.watch(connection, minutes(1)) == ""
    assert hosts.twins(connection, first.at(minutes(1))) == ["app2"]


def test_a_host_that_is_gone_is_let_go_of_with_its_slots_and_runs_accounted_for(connection: Database) -> None:
    gone, other = box("app1"), box("app2")
    for machine in (gone, other):
        machine.watch(connection, minutes(-30))
    deploy(connection, "app1", minutes(-30), "own", "each", "both", "again", "long", per_host=False, grace=300)
    deploy(connection, "app2", minutes(-30), "both", "again", grace=300)
    gone.watch_regularly(connection, minutes(-29), minutes(-10))
    started(connection, "long", "app1", scheduled_at=minutes(-60), started_at=minutes(-60))
    started(connection, "again", "app1", is_idempotent=True)
    pauses.pause(connection, Pause(Scope("till", None, "app1"), NOON, "anna", "a disk", None))
    done = forget(connection, "app1", minutes(1), by="bert")
    assert done == (3, 1, 5)  # own, each and long at noon: nobody else can run them
    gone_since = "no heartbeat from app1 since 2026-11-24T11:50:00Z"
    assert slots(connection) == [
        ("long", minutes(-60), "", "app1", "lost",
         "its host was forgotten (clocks forget-host, bert), and how it ended is unknown"),
        ("again", NOON, "", "app1", "started", None),  # app2 takes it over
        ("each", NOON, "", "app1", "missed", gone_since),
        ("long", NOON, "", "app1", "missed", gone_since),
        ("own", NOON, "", "app1", "missed", gone_since),
    ]  # fmt: skip
    assert connection.execute("SELECT expires_at < now() FROM task_run WHERE job = 'again'").fetchall() == [(True,)]
    assert [host.host for host in status.hosts(connection, minutes(1))] == ["app2"]
    assert pauses.active(connection, minutes(2)) == []
    other.watch_regularly(connection, minutes(2), minutes(7))
    assert [row[:5] for row in slots(connection) if row[0] == "both"] == [("both", NOON, "", "", "missed")]


def test_a_new_machine_may_have_a_forgotten_name_and_old_slots_are_not_decided_again(connection: Database) -> None:
    old, new = box("app1"), box("app1")
    old.watch(connection, minutes(-90))
    deploy(connection, "app1", minutes(-90), "own")
    old.watch_regularly(connection, minutes(-89), minutes(5))
    forget(connection, "app1", minutes(30), by="anna")
    connection.execute("DELETE FROM task_run")  # as clocks prune-runs does
    new.watch(connection, minutes(31))
    deploy(connection, "app1", minutes(31), "own")
    new.watch_regularly(connection, minutes(32), minutes(62))
    assert [row[1] for row in slots(connection)] == [minutes(60)]


def test_a_host_with_heartbeats_is_forgotten_only_with_yes(connection: Database) -> None:
    box("app1").watch(connection, minutes(0))
    with pytest.raises(UsageError, match="its last heartbeat was at 2026-11-24 12:00:00Z"):
        forget(connection, "app1", minutes(4), by="anna")
    with pytest.raises(UsageError, match="the hosts are: app1"):
        forget(connection, "app9", minutes(4), by="anna")
    forget(connection, "app1", minutes(4), by="anna", even_if_alive=True)
    assert connection.execute("SELECT FROM host").fetchall() == []
