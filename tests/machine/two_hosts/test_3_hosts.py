"""Each host runs its watch, has a name of its own and accounts for the other if it dies; every run has one effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.machine.fleet import Fleet
from tests.machine.machine import Machine
from tests.machine.two_hosts.ledger_rows import deployed, now, rows
from tests.machine.waiting import wait_for

pytestmark = pytest.mark.xdist_group("two_hosts")  # two machines for all of them


def test_every_host_runs_its_watch_every_minute(fleet: Fleet) -> None:
    def has_run(machine: Machine) -> bool:
        shown = machine.run("systemctl", "show", "clock-watch.service", "--property=ExecMainExitTimestamp,Result")
        return set(shown.stdout.split("\n")) > {"Result=success"} and "ExecMainExitTimestamp=\n" not in shown.stdout

    for machine in fleet.machines.values():
        wait_for("the watch", lambda m=machine: has_run(m))  # type: ignore[misc]
    assert {host for (host,) in fleet.query("SELECT name FROM host WHERE release <> ''")} == {"app1", "app2"}


def host_names(fleet: Fleet) -> list[str]:
    return [host for (host,) in fleet.query("SELECT name FROM host ORDER BY name")]


def test_a_second_machine_of_a_name_is_refused_and_with_a_new_name_it_goes_on(fleet: Fleet) -> None:
    second = fleet.machines["app2"]
    paused = second.root / "etc/scheduled-tasks/paused/every-clock"
    fleet.clocks("app1", "run", "each/lasts")
    wait_for("its row", lambda: rows(fleet, "each", "lasts", "status = 'started'"))
    # A watch of its own that had begun before the name changes would lift the pause.
    second.run("systemctl", "stop", "clock-watch.timer")
    active = ("systemctl", "is-active", "--quiet", "clock-watch.service")
    wait_for("the end of its watch", lambda: second.run(*active, check=False).returncode != 0)
    second.run("hostname", "app1")
    for command, code in (("watch", 78), ("reconcile", 78), ("apply", 78), ("check", 65)):
        refused = fleet.clocks("app2", command, check=False)
        assert (refused.returncode, command) == (code, command), refused.stderr
        assert "the name app1 belongs to another machine" in refused.stdout + refused.stderr
    [finding] = [finding for finding in fleet.ask("app2", "doctor") if finding["where"] == "host"]
    assert "clocks forget-host app1" in finding["problem"]
    assert rows(fleet, "each", "lasts", "status = 'lost'") == []
    second.run("systemctl", "start", "clock-by_hand-works.service")
    shown = second.run("systemctl", "show", "clock-by_hand-works.service", "--property=ConditionResult")
    assert (shown.stdout.strip(), paused.exists()) == ("ConditionResult=no", True)
    assert host_names(fleet) == ["app1", "app2"]
    fleet.clocks("app1", "watch")
    for name in ("app3", "app2"):
        second.run("hostname", name)
        fleet.clocks("app2", "watch")
        assert (host_names(fleet), paused.exists()) == (["app1", name], False)
        assert {host for host, _ in deployed(fleet)} == {"app1", name}
    second.run("systemctl", "start", "clock-watch.timer")


def test_a_host_records_what_a_dead_host_cannot(fleet: Fleet) -> None:
    fleet.clocks("app2", "run", "each/lasts")
    its = "host = 'app2' AND status"  # the run of the other host may still be there
    wait_for("its row", lambda: rows(fleet, "each", "lasts", f"{its} = 'started'"))
    fleet.kill("app2")
    died = now(fleet)
    # So that the test need not wait until the host is considered dead and its run has expired.
    fleet.query("UPDATE host SET heartbeat_at = heartbeat_at - interval '10 minutes' WHERE name = 'app2'")
    fleet.query(f"UPDATE task_run SET expires_at = clock_timestamp() WHERE job = 'lasts' AND {its} = 'started'")
    missed = "status = 'missed' AND slot_host = 'app2' AND scheduled_at > '%s'"

    def watch_until(row: Callable[[], list[tuple[Any, ...]]]) -> bool:
        fleet.clocks("app1", "watch")
        return bool(row())

    wait_for("a missed slot", lambda: watch_until(lambda: rows(fleet, "each", "each", missed % died)))
    assert rows(fleet, "each", "each", missed % died)[0][1] == "app2"
    assert "no heartbeat from app2 since" in rows(fleet, "each", "each", missed % died)[0][2]
    # On a busy machine a run can last until the next slot, which is skipped then.
    assert rows(fleet, "each", "each", "slot_host = 'app1' AND status NOT IN ('ended', 'started', 'skipped')") == []
    wait_for("the lost run", lambda: watch_until(lambda: rows(fleet, "each", "lasts", f"{its} = 'lost'")))
    assert fleet.clocks("app1", "status", check=False).returncode == 3


def test_a_host_that_is_gone_is_let_go_of(fleet: Fleet) -> None:
    fleet.clocks("app1", "forget-host", "app2")
    assert [host["host"] for host in fleet.ask("app1", "status")["hosts"]] == ["app1"]
    assert "app2" not in fleet.clocks("app1", "status", check=False).stdout


def test_every_run_that_ended_did_its_work_once(fleet: Fleet) -> None:
    before = now(fleet)
    works = {"beat": "tick", "each": "each"}
    for clock, what in works.items():
        [(ended,)] = fleet.query(
            "SELECT count(*) FROM task_run WHERE clock = %s AND job = %s AND status = 'ended' AND ended_at < %s",
            clock, what, before,
        )  # fmt: skip
        [(later,)] = fleet.query(
            "SELECT count(*) FROM task_run WHERE clock = %s AND job = %s"
            " AND (status IN ('started', 'failed', 'lost') OR ended_at >= %s)", clock, what, before,
        )  # fmt: skip
        [(effects,)] = fleet.query("SELECT count(*) FROM effect WHERE what = %s", what)
        assert ended > 3
        assert ended <= effects <= ended + later
