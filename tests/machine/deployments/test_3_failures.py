"""Hosts and controllers that fail on the way, changes by hand, and a reboot."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.machine.controller import Controller
from tests.machine.deployments.steps import DEPLOYED, NIGHTLY, RECOUNT, rows, set_version, state, timers, version_run
from tests.machine.machine import Machine, rebooted
from tests.machine.postgresql import Database
from tests.machine.waiting import wait_for

pytestmark = pytest.mark.xdist_group("deployments")  # two machines for all of them


@contextmanager
def that_cannot_write(machine: Machine, folder: str) -> Iterator[None]:
    """A host with a folder that is read-only."""
    machine.run("mount", "--bind", folder, folder)
    machine.run("mount", "-o", "remount,bind,ro", folder)
    yield
    machine.run("umount", folder)


def that_cannot_switch(machine: Machine) -> AbstractContextManager[None]:
    """A host on which preparing succeeds and the switch does not."""
    return that_cannot_write(machine, "/etc/scheduled-tasks/units")


def test_if_the_first_host_fails_no_other_is_touched(fleet: Controller) -> None:
    app1, app2 = fleet.machines["app1"], fleet.machines["app2"]
    before = [state(app1), state(app2)]
    set_version(fleet, 3)
    with that_cannot_switch(app1):
        play = fleet.play("the first of two hosts fails", fails=True)
    assert "Read-only file system" in play.output
    assert "clocks | Activate the release and its timers" not in play.changed["app2"]
    assert [state(app1), state(app2)] == before
    assert [version_run(machine) for machine in (app1, app2)] == ["1", "1"]


def test_if_a_later_host_fails_it_stays_as_it_was_and_earlier_hosts_are_done(fleet: Controller) -> None:
    app1, app2 = fleet.machines["app1"], fleet.machines["app2"]
    before = state(app2)
    with that_cannot_switch(app2):
        play = fleet.play("the second of two hosts fails", fails=True)
    assert "Read-only file system" in play.output
    assert state(app2) == before
    assert [version_run(machine) for machine in (app1, app2)] == ["3", "1"]
    assert fleet.play("both hosts succeed").changed["app1"] == []
    assert version_run(app2) == "3"


def test_credentials_that_cannot_be_stored_stop_the_play_with_the_reason(fleet: Controller) -> None:
    app1 = fleet.machines["app1"]
    before = state(app1)
    secret = ("-e", '{"scheduled_tasks_credentials": {"api_key": "never-shown"}}')
    with that_cannot_write(app1, "/etc/scheduled-tasks/credentials"):
        play = fleet.play("credentials that cannot be stored", "--limit=app1", *secret, fails=True)
    assert "The credentials could not be stored: " in play.output
    assert "Read-only file system" in play.output
    assert "never-shown" not in play.output
    assert state(app1) == before


def test_manual_changes_are_reverted(fleet: Controller) -> None:
    app1 = fleet.machines["app1"]
    app1.run("sh", "-ec", "cd /etc/scheduled-tasks; chmod 600 $(readlink -f config.toml); chmod 755 credentials")
    app1.run("sh", "-ec", "echo '# mine' >>/usr/local/bin/clocks")
    mended = [
        "config | Create the folders of the configuration",
        "new_config | Write the configuration",
        "host | Install the operator's commands",
    ]
    assert fleet.play("mended by hand, dry run", "--limit=app1", "--check").changed == {"app1": mended}
    assert fleet.play("mended by hand", "--limit=app1").changed == {"app1": mended}
    shown = app1.run("stat", "--dereference", "--format=%n=%a %U %G", *DEPLOYED).stdout.splitlines()
    assert dict(line.split("=") for line in shown) == DEPLOYED


def test_the_jobs_have_a_journal_of_their_own_on_request(fleet: Controller) -> None:
    app1 = fleet.machines["app1"]
    limited = '{"scheduled_tasks_journal_namespace": "jobs", "scheduled_tasks_journal_limits": {"SystemMaxUse": "50M"}}'
    done = fleet.play("a journal namespace", "--limit=app1", "-e", limited)
    assert "host | Limit the journal of the jobs" in done.changed["app1"]
    lines = app1.run("clocks", "run", "nightly/recount", "--wait").stdout.splitlines()
    assert [json.loads(line)["status"] for line in lines if "status" in json.loads(line)] == ["started", "ended"]
    assert app1.run("journalctl", "--namespace=jobs", "--output=cat", f"--unit={RECOUNT}").stdout.splitlines() == lines
    usage = app1.run("journalctl", "--namespace=jobs", "--unit=systemd-journald@jobs.service", "--output=cat").stdout
    assert "max 50M" in usage
    [run] = json.loads(app1.run("clocks", "history", "nightly/recount", "--limit=1", "--json").stdout)
    assert "ended" in "".join(json.loads(app1.run("clocks", "show", run["run_id"], "--json").stdout)["log_lines"])
    unlimited = '{"scheduled_tasks_journal_namespace": "jobs", "scheduled_tasks_journal_limits": {}}'
    done = fleet.play("without its limits", "--limit=app1", "-e", unlimited)
    assert done.changed["app1"] == ["host | Remove the journal limits of an earlier deployment"]


def test_a_controller_killed_half_way_leaves_a_state_that_the_next_run_completes(fleet: Controller) -> None:
    app1 = fleet.machines["app1"]
    before = state(app1)
    set_version(fleet, 4)
    releases = app1.root / "opt/scheduled-tasks/releases"

    def is_half_way() -> bool:
        return any(not (path / ".complete").exists() for path in releases.iterdir() if path.is_dir())

    with fleet.started("--limit=app1") as process:
        wait_for("a release that is being made", is_half_way)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert state(app1) == before
    assert version_run(app1) == "3"
    fleet.play("after a controller that was killed", "--limit=app1")
    assert version_run(app1) == "4"


def runs_of_app1(database: Database) -> dict[str, int]:
    sql = "SELECT job, count(*) FROM task_run WHERE host = 'app1' AND clock = 'nightly' GROUP BY job"
    return {str(job): int(str(count)) for job, count in rows(database, sql)}


def test_after_a_reboot_the_timers_are_there_and_each_missed_job_is_caught_up_once(
    fleet: Controller, database: Database
) -> None:
    before = runs_of_app1(database)
    app1 = fleet.machines["app1"]
    app1.run("touch", "--date=3 days ago", *[f"/var/lib/systemd/timers/stamp-{timer}" for timer in NIGHTLY])
    fleet.machines["app1"] = app1 = rebooted(app1)
    assert timers(app1) == [*NIGHTLY, "clock-watch.timer"]
    caught_up = {"recount": before["recount"] + 1, "remind": before.get("remind", 0) + 1}
    wait_for("a run of each", lambda: runs_of_app1(database) == caught_up)
    # No start is queued any more, so no job runs a second time.
    wait_for("their ends", lambda: not app1.run("systemctl", "list-jobs", "--no-legend").stdout)
    assert fleet.play("no change after a reboot", "--limit=app1").changed == {"app1": []}
    assert runs_of_app1(database) == caught_up
