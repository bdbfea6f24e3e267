"""However a run ends, its slot's row records that within seconds, from run-task itself or the unit's failure note."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine.deaths import DEATHS, TASKS, check, rows_of
from tests.machine.fleet import ETC, FOLDER, Fleet, two_machines
from tests.machine.machine import REPOSITORY
from tests.machine.project import FAR_HOUR, at, sleep_until
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("ledger")  # one machine for all of them

OPTIONS = {
    "slow": ", timeout=40", "lingers": ", timeout=40", "greedy": ", memory_max='120M'",
    "again": ", retries=1, retry_delay=1",
}  # fmt: skip
DROP_INS = {
    "no_python": "ExecStart=\nExecStart=/usr/local/bin/no-python",
    "lingers": "TimeoutStopSec=2",
    "leaves_a_child": "TimeoutStopSec=2",
    "has_a_bad_command": "ExecStopPost=/usr/bin/false",
    "counted": "ExecStartPre=/usr/bin/sleep 65",
}
FLOODS = {"by_logging": "logging", "by_print": "print", "by_write": "os.write", "by_child": "subprocess"}
# journald takes so many lines in a second, so that even a slow machine's flood exceeds it.
DROP_INS |= dict.fromkeys(FLOODS, "LogRateLimitBurst=100")


def clock(lead: float) -> str:
    """The clock file's jobs, all those that a timer starts due in so many seconds."""
    due = at(lead)
    first = (datetime.now(UTC) + timedelta(seconds=lead + 60)).replace(second=0, microsecond=0)
    counted = f"minutes=7, start_date={first.isoformat()!r}, timezone='UTC'"  # its timer elapses every minute
    jobs = [
        *((job, f"{call}, {due}{OPTIONS.get(job, '')}") for job, (call, *_) in DEATHS.items()),
        ("counted", f"well, 'interval', {counted}"),
        ("cut_off", "hangs, 'cron', year=2100"),
        ("vanishes", "leaves, 'cron', [0], year=2100"),
        *((job, f"floods, 'cron', [{how!r}], year=2100") for job, how in FLOODS.items()),
    ]
    added = (f"scheduler.add_job(deaths.{arguments}, id={job!r})" for job, arguments in jobs)
    return "\n".join(["from fleet.tasks import deaths", *added])


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with two_machines("app1") as one:
        machine = one.machines["app1"]
        (machine.root / f"{FOLDER}/fleet/tasks/deaths.py".lstrip("/")).write_text(TASKS)
        script = machine.root / "usr/local/bin/no-python"
        script.write_text("#!/usr/bin/python-that-is-gone\n")
        script.chmod(0o755)
        for job, changed in DROP_INS.items():
            local = machine.root / f"etc/systemd/system/clock-deaths-{job}.service.d/90-local.conf"
            local.parent.mkdir(parents=True)
            local.write_text(f"[Service]\n{changed}\n")
        began = time.monotonic()
        one.write(deaths=clock(43_200))
        assert one.ask("app1", "apply")["changed"]
        one.write(deaths=clock(10 + 3 * (time.monotonic() - began)))  # the second apply takes less time than the first
        assert one.ask("app1", "apply")["changed"]
        yield one


def rows(fleet: Fleet, job: str) -> list[tuple[Any, ...]]:
    return rows_of(fleet.query, job)


@pytest.mark.parametrize("job", DEATHS)
def test_every_way_to_end_is_recorded_in_the_slots_only_row(fleet: Fleet, job: str) -> None:
    error_type = DEATHS[job][2]
    wait_for(f"the row of {job}", lambda: rows(fleet, job) and rows(fleet, job)[0][1] == error_type)
    check(DEATHS, job, rows(fleet, job))


def test_a_start_more_than_a_minute_late_runs_the_slot_of_an_interval_that_no_calendar_has(fleet: Fleet) -> None:
    query = "SELECT lag > 60, attempt FROM task_run WHERE job = 'counted' AND status = 'ended'"
    wait_for("the row of counted", lambda: fleet.query(query), seconds=700)  # the apply may have been too late for one
    assert fleet.query(query)[0] == (True, 1)


def test_nothing_stays_pending(fleet: Fleet) -> None:
    for job in DEATHS:
        wait_for(f"the row of {job}", partial(rows, fleet, job))
    state = fleet.machines["app1"].root / "var/lib/scheduled-tasks"
    wait_for("no pending failure notes", lambda: not list(state.glob("failed/*")))
    assert list(state.glob("results/*/*")) == []


def test_a_run_whose_machine_went_down_is_lost_once_the_machine_is_back(fleet: Fleet) -> None:
    fleet.clocks("app1", "run", "deaths/cut_off")
    wait_for("its row", lambda: fleet.query("SELECT 1 FROM task_run WHERE job = 'cut_off'"))
    # What a reboot leaves: a row of this host with an invocation that isn't running.
    fleet.query("UPDATE task_run SET invocation_id = gen_random_uuid() WHERE job = 'cut_off'")
    fleet.clocks("app1", "reconcile")
    [(status, reason)] = fleet.query("SELECT status, reason FROM task_run WHERE job = 'cut_off'")
    assert (status, reason) == ("lost", "its process is gone, and how it ended is unknown")
    fleet.machines["app1"].run("systemctl", "kill", "--signal=SIGKILL", "clock-deaths-cut_off.service")


def test_a_run_that_exits_with_0_and_records_nothing_is_lost(fleet: Fleet) -> None:
    fleet.clocks("app1", "run", "deaths/vanishes")
    unit = "clock-deaths-vanishes.service"
    wait_for("its end", lambda: fleet.query("SELECT 1 FROM task_run WHERE job = 'vanishes'"))
    machine = fleet.machines["app1"]
    wait_for("its end", lambda: machine.run("systemctl", "is-active", unit, check=False).stdout == "inactive\n")
    fleet.clocks("app1", "reconcile")
    [(status, reason)] = fleet.query("SELECT status, reason FROM task_run WHERE job = 'vanishes'")
    assert (status, reason) == ("lost", "its process is gone, and how it ended is unknown")


@pytest.fixture(scope="module")
def floods(fleet: Fleet) -> None:
    """All floods at once."""
    machine = fleet.machines["app1"]
    machine.run("systemctl", "start", *(f"clock-deaths-{job}.service" for job in FLOODS))
    wait_for("their ends", lambda: all(rows(fleet, job) for job in FLOODS))
    machine.run("journalctl", "--sync")


@pytest.mark.usefixtures("floods")
@pytest.mark.parametrize("job", FLOODS)
def test_the_end_line_of_a_run_that_floods_the_journal_is_in_it_once(fleet: Fleet, job: str) -> None:
    machine, unit = fleet.machines["app1"], f"clock-deaths-{job}.service"
    shown = machine.run("journalctl", f"--unit={unit}", "--output=cat", "--grep=type=cron name=floods").stdout
    statuses = [json.loads(line)["status"] for line in shown.splitlines()]
    assert statuses == ["started", "ended"]
    kept = machine.run("sh", "-c", f"journalctl --unit={unit} --output=cat | wc -l").stdout
    assert int(kept) < 20_000  # it was a flood


# Stops the changed timers, switches to the new set, and is killed.
DYING = """
import os
from scheduled_tasks.project import enabled_clocks, configured_host
from scheduled_tasks.deploy.apply import apply
from scheduled_tasks.render.units import render
from scheduled_tasks.deploy.effects import Effects
class Dying(Effects):
    def step(self, operation, what):
        if operation == 'systemctl daemon-reload':
            os._exit(137)
apply(render(enabled_clocks(), configured_host()), effects=Dying())
"""


def test_the_watch_finishes_an_apply_that_was_killed_while_timers_were_stopped(fleet: Fleet) -> None:
    machine = fleet.machines["app1"]
    job = "scheduler.add_job(work, 'cron', ['{id}'], id='{id}', misfire_grace_time={grace}, {due})"
    kinds = {"kept": "None", "plain": "1"}

    def write(due: str) -> None:
        fleet.write(late="\n".join(job.format(id=kind, grace=grace, due=due) for kind, grace in kinds.items()))

    write(f"hour={FAR_HOUR}")
    fleet.ask("app1", "apply")
    machine.run("systemctl", "stop", "clock-watch.timer")  # its run would disturb the test
    due = time.time() + 30
    write(at(30))
    environment = [f"SCHEDULED_TASKS_CONFIG={ETC}/config.toml", f"PYTHONPATH={REPOSITORY}:{FOLDER}"]
    assert machine.run("env", *environment, sys.executable, "-Bc", DYING, check=False).returncode == 137
    timers = [f"clock-late-{kind}.timer" for kind in kinds]

    def states() -> list[str]:
        return machine.run("systemctl", "is-active", *timers, "clock-watch.timer", check=False).stdout.split()

    assert states() == ["inactive"] * 3
    machine.run("test", "-e", "/run/scheduled-tasks/stopped-timers.json")
    sleep_until(due + 3)
    machine.run("systemctl", "start", "clock-watch.service")
    wait_for("the timers", lambda: states() == ["active"] * 3)
    effects = "SELECT what FROM effect WHERE what = ANY (%s) ORDER BY what"
    wait_for("both runs", lambda: fleet.query(effects, list(kinds)) == [("kept",), ("plain",)])
    record = ("test", "-e", "/run/scheduled-tasks/stopped-timers.json")
    wait_for("the end of the apply", lambda: machine.run(*record, check=False).returncode == 1)
    assert fleet.ask("app1", "apply")["changed"] is False


def test_a_removal_leaves_nothing_on_disk_once_nothing_is_pending(fleet: Fleet) -> None:
    state = fleet.machines["app1"].root / "var/lib/scheduled-tasks"
    (state / "failed").mkdir(exist_ok=True)
    (state / "failed/clock-deaths-slow.service.1.note").touch()  # as a dying disk may leave it
    fleet.clocks("app1", "reconcile")
    [finding] = [finding for finding in fleet.ask("app1", "doctor") if finding["mend"].endswith(".refused")]
    assert finding["mend"] == "rm /var/lib/scheduled-tasks/failed/clock-deaths-slow.service.1.refused"
    wait_for("no pending failure notes", lambda: not list(state.glob("failed/*.note")))
    assert (state / "reconcile.lock").exists()
    runs = ("systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating", "clock-deaths-*.service")
    wait_for("the end of all runs", lambda: not fleet.machines["app1"].run(*runs).stdout)  # that of `counted` is slow
    fleet.clocks("app1", "remove", "--all")
    left = "find /var/lib/scheduled-tasks; systemctl list-units --all 'clock-*'"
    assert not state.exists(), fleet.machines["app1"].run("sh", "-c", left).stdout
