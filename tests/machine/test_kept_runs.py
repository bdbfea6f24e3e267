"""A job that runs while its unit changes or goes ends by itself, and the next run is the new unit's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine.machine import wait_for
from tests.machine.project import FAR_HOUR, LATER_HOUR, SmallProject

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.xdist_group("promises")

SERVICE = "clock-one-job.service"
JOB = {"job": (f"hour={FAR_HOUR}", True)}
GENEROUS = "timeout='1h', memory_max='300M', tasks_max=40"
NARROW = "timeout=1, memory_max='200M', tasks_max=20"
# Applies, and does something to a service right before the first daemon-reload.
MEANWHILE = f"""
import subprocess, sys
from scheduled_tasks.cli.common import configured_clocks, configured_host
from scheduled_tasks.deploy.apply import apply
from scheduled_tasks.render.units import render
from scheduled_tasks.deploy.effects import Effects

class Meanwhile(Effects):
    done = False
    def step(self, operation, what):
        if operation == "systemctl daemon-reload" and not self.done:
            self.done = True
            subprocess.run(["systemctl", sys.argv[1], "{SERVICE}"], check=True)

apply(render(configured_clocks(), configured_host()), effects=Meanwhile())
"""


@pytest.fixture(autouse=True)
def fresh(project: SmallProject) -> Iterator[None]:
    """Each test begins on a machine without our units, and without a run."""
    yield
    project.machine.run("systemctl", "stop", "clock-*.service")
    project.clocks("remove", "--all")
    project.reset()


def begin(project: SmallProject, seconds: int, *services: str) -> None:
    """Starts services whose runs last for some seconds."""
    project.machine.run("sh", "-c", f"echo {seconds} >/run/small.long")
    project.machine.run("systemctl", "start", "--no-block", *services)
    wait_for("the start", lambda: "start job" in project.runs(), seconds=10)


def limits(project: SmallProject) -> tuple[str, str, str]:
    shown = project.show(SERVICE, "RuntimeMaxUSec,MemoryMax,TasksMax")
    return shown["RuntimeMaxUSec"], shown["MemoryMax"], shown["TasksMax"]


def kept(project: SmallProject) -> list[str]:
    """What stands below /run for a clock's units."""
    return project.machine.run("find", "/run/systemd/system", "-name", "clock*").stdout.splitlines()


def plan(project: SmallProject) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(project.clocks("plan", "--json", check=False).stdout)
    return said


def end(project: SmallProject) -> None:
    wait_for("the end", lambda: project.runs().count("end job") == 1, seconds=15)
    wait_for("the service's end", lambda: project.show(SERVICE, "ActiveState")["ActiveState"] == "inactive", seconds=15)
    assert project.show(SERVICE, "Result") == {"Result": "success"}
    assert kept(project) == []


def test_a_run_keeps_the_limits_that_it_was_started_with_whichever_file_changes(project: SmallProject) -> None:
    project.write(GENEROUS, one=JOB)
    project.apply()
    begin(project, 6, SERVICE)
    project.write(NARROW, one=JOB)
    assert plan(project)["running"] == {
        SERVICE: "goes on to its end as it was started; keeps MemoryMax=300M, RuntimeMaxSec=1h, TasksMax=40; "
        "its next run is the new one"
    }
    project.apply()
    assert limits(project) == ("1h", "314572800", "40")
    # now in the job's own drop-in
    project.write(GENEROUS, one={"job": (f"hour={LATER_HOUR}, timeout=1, tasks_max=10", True)})
    project.apply()
    assert limits(project) == ("1h", "314572800", "40")
    assert project.apply()["changed"] is False
    end(project)
    assert limits(project) == ("1s", "314572800", "10")
    assert project.apply()["changed"] is False


def test_a_rollback_to_narrower_limits_ends_no_run(project: SmallProject) -> None:
    for options in (NARROW, GENEROUS):
        project.write(options, one=JOB)
        project.apply()
    begin(project, 4, SERVICE)
    project.clocks("rollback")
    assert limits(project) == ("1h", "314572800", "40")
    end(project)
    assert limits(project) == ("1s", "209715200", "20")


def test_a_run_has_a_longer_timeout_at_once(project: SmallProject) -> None:
    project.write("timeout=3", one=JOB)
    project.apply()
    begin(project, 5, SERVICE)
    project.write("timeout='1h'", one=JOB)
    said = "goes on to its end as it was started; has RuntimeMaxSec=1h from now on; its next run is the new one"
    assert plan(project)["running"] == {SERVICE: said}
    project.apply()
    assert kept(project) == []
    end(project)


def test_a_removed_job_keeps_its_unit_until_its_run_is_over_and_may_come_back_meanwhile(project: SmallProject) -> None:
    project.write("timeout=30", one=JOB)
    project.apply()
    project.write("timeout=2", one=JOB)
    project.apply()
    project.clocks("rollback")
    begin(project, 6, SERVICE)
    narrow = json.loads(project.clocks("sets", "--json").stdout)[1]["name"]
    project.clocks("remove", "--all")
    assert limits(project)[0] == "30s"
    assert project.machine.run("systemctl", "start", SERVICE, check=False).returncode != 0
    project.write("timeout=2", one=JOB)
    project.apply()
    assert json.loads(project.clocks("sets", "--json").stdout)[0]["name"] == narrow
    assert limits(project)[0] == "30s"
    end(project)
    assert limits(project)[0] == "2s"


def test_nothing_is_left_of_a_removed_job_that_ran(project: SmallProject) -> None:
    project.write(one=JOB)
    project.apply()
    begin(project, 2, SERVICE)
    project.clocks("remove", "--all")
    assert kept(project) == [f"/run/systemd/system/{SERVICE}"]
    end(project)
    assert project.show(SERVICE, "LoadState") == {"LoadState": "not-found"}


def test_a_job_that_waits_for_its_turn_has_it_when_the_clock_has_no_turns_any_more(project: SmallProject) -> None:
    both = {"job": (f"hour={FAR_HOUR}", True), "other": (f"hour={FAR_HOUR}", True)}
    project.write("concurrency=1", one=both)
    project.apply()
    begin(project, 3, SERVICE)
    project.machine.run("systemctl", "start", "--no-block", "clock-one-other.service")
    waiting = {"ActiveState": "activating", "TimeoutStartUSec": "infinity", "Type": "notify"}
    shown = ",".join(waiting)
    wait_for("the other", lambda: project.show("clock-one-other.service", shown) == waiting, seconds=5)
    project.write(one=both)
    project.apply()
    assert project.show("clock-one-other.service", shown) == waiting
    end_of_both = ["start job", "end job", "start other", "end other"]
    wait_for("both ends", lambda: project.runs() == end_of_both, seconds=15)
    wait_for("what is kept to go", lambda: kept(project) == [], seconds=5)
    assert project.show("clock-one-other.service", "Type,Result") == {"Type": "exec", "Result": "success"}


def test_a_run_that_begins_right_before_the_reload_is_kept_too(project: SmallProject) -> None:
    project.write(GENEROUS, one=JOB)
    project.apply()
    project.machine.run("sh", "-c", "echo 4 >/run/small.long")
    project.write(NARROW, one=JOB)
    project.code(MEANWHILE, "start")
    assert limits(project) == ("1h", "314572800", "40")
    end(project)
    assert limits(project) == ("1s", "209715200", "20")


def test_a_run_that_ends_right_before_the_reload_leaves_nothing_to_the_next(project: SmallProject) -> None:
    project.write(GENEROUS, one=JOB)
    project.apply()
    begin(project, 60, SERVICE)
    project.write(NARROW, one=JOB)
    project.code(MEANWHILE, "stop")
    assert (limits(project), kept(project)) == (("1s", "209715200", "20"), [])
