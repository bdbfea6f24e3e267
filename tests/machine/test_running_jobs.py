"""A run ends normally while an apply changes or removes its unit, and the next run uses the new unit."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine.project import FAR_HOUR, LATER_HOUR, SmallProject
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.xdist_group("promises")

SERVICE = "clock-one-job.service"
JOB = {"job": (f"hour={FAR_HOUR}", True)}
GENEROUS = "timeout='1h', memory_max='300M', tasks_max=40"
LIMIT = 20  # seconds; an apply takes a few
NARROW = "timeout=1, memory_max='200M', tasks_max=20"
# Applies, and starts or stops a service right before the first daemon-reload.
MEANWHILE = f"""
import subprocess, sys
from scheduled_tasks.project import enabled_clocks, configured_host
from scheduled_tasks.deploy.apply import apply
from scheduled_tasks.render.units import render
from scheduled_tasks.deploy.effects import Effects

class Meanwhile(Effects):
    done = False
    def step(self, operation, what):
        if operation == "systemctl daemon-reload" and not self.done:
            self.done = True
            subprocess.run(["systemctl", sys.argv[1], "{SERVICE}"], check=True)

apply(render(enabled_clocks(), configured_host()), effects=Meanwhile())
"""


@pytest.fixture(autouse=True)
def fresh(project: SmallProject) -> Iterator[None]:
    """Each test begins on a machine without our units and without a recorded run."""
    yield
    project.machine.run("systemctl", "stop", "clock-*.service")
    project.clocks("remove", "--all")
    project.reset()


def begin(project: SmallProject, *services: str) -> None:
    """Start services whose runs last until they are released."""
    project.hold()
    project.machine.run("systemctl", "start", "--no-block", *services)
    wait_for("the start", lambda: "start job" in project.runs())


def limits(project: SmallProject) -> tuple[str, str, str]:
    shown = project.show(SERVICE, "RuntimeMaxUSec,MemoryMax,TasksMax")
    return shown["RuntimeMaxUSec"], shown["MemoryMax"], shown["TasksMax"]


def overrides(project: SmallProject) -> list[str]:
    """The files and directories below /run for clocks' units."""
    return project.machine.run("find", "/run/systemd/system", "-name", "clock*").stdout.splitlines()


def plan(project: SmallProject) -> dict[str, Any]:
    planned: dict[str, Any] = json.loads(project.clocks("plan", "--json", check=False).stdout)
    return planned


def end(project: SmallProject) -> None:
    """Let the run end, and wait until its service has."""
    project.release()
    wait_for("the end", lambda: project.runs().count("end job") == 1)
    wait_for("the service's end", lambda: project.show(SERVICE, "ActiveState")["ActiveState"] == "inactive")
    assert project.show(SERVICE, "Result") == {"Result": "success"}
    assert overrides(project) == []


def test_a_run_keeps_its_limits_whichever_unit_file_changes(project: SmallProject) -> None:
    project.write(GENEROUS, one=JOB)
    project.apply()
    begin(project, SERVICE)
    project.write(NARROW, one=JOB)
    assert plan(project)["running"] == {
        SERVICE: "goes on to its end as it was started; keeps MemoryMax=300M, RuntimeMaxSec=1h, TasksMax=40; "
        "its next run is the new one"
    }
    project.apply()
    assert limits(project) == ("1h", "314572800", "40")
    # Now the job's own drop-in changes.
    project.write(GENEROUS, one={"job": (f"hour={LATER_HOUR}, timeout=1, tasks_max=10", True)})
    project.apply()
    assert limits(project) == ("1h", "314572800", "40")
    assert project.apply()["changed"] is False
    end(project)
    assert limits(project) == ("1s", "314572800", "10")
    assert project.apply()["changed"] is False


def test_a_rollback_to_lower_limits_ends_no_run(project: SmallProject) -> None:
    for options in (NARROW, GENEROUS):
        project.write(options, one=JOB)
        project.apply()
    begin(project, SERVICE)
    project.clocks("rollback")
    assert limits(project) == ("1h", "314572800", "40")
    end(project)
    assert limits(project) == ("1s", "209715200", "20")


def test_a_longer_timeout_applies_to_the_current_run(project: SmallProject) -> None:
    project.write(f"timeout={LIMIT}", one=JOB)
    project.apply()
    begin(project, SERVICE)
    project.write("timeout='1h'", one=JOB)
    effect = "goes on to its end as it was started; has RuntimeMaxSec=1h from now on; its next run is the new one"
    assert plan(project)["running"] == {SERVICE: effect}
    project.apply()
    assert overrides(project) == []
    began = int(project.show(SERVICE, "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"]) / 1e6
    wait_for("the former limit to pass", lambda: time.monotonic() > began + LIMIT + 1, seconds=LIMIT + 5)
    end(project)


def test_a_removed_job_keeps_its_unit_until_its_run_ends_even_if_it_is_added_again(project: SmallProject) -> None:
    project.write("timeout=60", one=JOB)
    project.apply()
    project.write("timeout=2", one=JOB)
    project.apply()
    project.clocks("rollback")
    begin(project, SERVICE)
    narrow = json.loads(project.clocks("sets", "--json").stdout)[1]["name"]
    project.clocks("remove", "--all")
    assert limits(project)[0] == "1min"
    assert project.machine.run("systemctl", "start", SERVICE, check=False).returncode != 0
    project.write("timeout=2", one=JOB)
    project.apply()
    assert json.loads(project.clocks("sets", "--json").stdout)[0]["name"] == narrow
    assert limits(project)[0] == "1min"
    end(project)
    assert limits(project)[0] == "2s"


def test_a_removed_job_leaves_no_files_after_its_run(project: SmallProject) -> None:
    project.write(one=JOB)
    project.apply()
    begin(project, SERVICE)
    project.clocks("remove", "--all")
    assert overrides(project) == [f"/run/systemd/system/{SERVICE}"]
    end(project)
    assert project.show(SERVICE, "LoadState") == {"LoadState": "not-found"}


def test_a_job_that_waits_for_a_concurrency_lock_runs_after_its_clock_drops_the_limit(project: SmallProject) -> None:
    both = {"job": (f"hour={FAR_HOUR}", True), "other": (f"hour={FAR_HOUR}", True)}
    project.write("concurrency=1", one=both)
    project.apply()
    begin(project, SERVICE)
    project.machine.run("systemctl", "start", "--no-block", "clock-one-other.service")
    waiting = {"ActiveState": "activating", "TimeoutStartUSec": "infinity", "Type": "notify"}
    shown = ",".join(waiting)
    wait_for("the other", lambda: project.show("clock-one-other.service", shown) == waiting)
    project.write(one=both)
    project.apply()
    assert project.show("clock-one-other.service", shown) == waiting
    project.release()
    end_of_both = ["start job", "end job", "start other", "end other"]
    wait_for("both ends", lambda: project.runs() == end_of_both)
    wait_for("the overrides to go", lambda: overrides(project) == [])
    assert project.show("clock-one-other.service", "Type,Result") == {"Type": "exec", "Result": "success"}


def test_a_run_that_begins_right_before_the_reload_keeps_its_limits(project: SmallProject) -> None:
    project.write(GENEROUS, one=JOB)
    project.apply()
    project.hold()
    project.write(NARROW, one=JOB)
    project.code(MEANWHILE, "start")
    assert limits(project) == ("1h", "314572800", "40")
    end(project)
    assert limits(project) == ("1s", "209715200", "20")


def test_a_run_that_ends_right_before_the_reload_leaves_no_override(project: SmallProject) -> None:
    project.write(GENEROUS, one=JOB)
    project.apply()
    begin(project, SERVICE)
    project.write(NARROW, one=JOB)
    project.code(MEANWHILE, "stop")
    assert (limits(project), overrides(project)) == (("1s", "209715200", "20"), [])
