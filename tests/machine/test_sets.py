"""Going back, taking away, and what an apply refuses, on a booted machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.machine.inside import standing_in
from tests.machine.machine import wait_for
from tests.machine.project import FOLDER, RUNS, SmallProject, at, set_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machine.inside import standing_in
from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("sets")

STAMP = "/var/lib/systemd/timers/stamp-clock-one-kept.timer"
TIMERS = {"clock-one-kept.timer", "clock-one-plain.timer"}


@pytest.fixture(scope="module")
def project(either_machine: Machine) -> Iterator[SmallProject]:
    with standing_in(either_machine) as inside:
        yield set_up(either_machine, inside)


@pytest.fixture(autouse=True)
def applied(project: SmallProject) -> None:
    """A clock with a persistent and a plain timer, that are due in half a day."""
    project.clocks("remove", "--all")
    project.machine.run("sh", "-c", f"rm -f {RUNS} /run/small.long")
    project.write(one={"kept": (at(43_200), True), "plain": (at(43_200), False)})
    project.apply()


def listed(project: SmallProject, *options: str) -> set[str]:
    """The units that systemd has in memory, by their state."""
    printed = project.machine.run("systemctl", "list-units", "--plain", "--no-legend", *options, "clock-*").stdout
    return {line.split()[0] for line in printed.splitlines()}


@pytest.mark.parametrize(
    ("last_run", "stays"), [("-1 minute", True), ("-2 days", False)], ids=["nothing missed", "a run missed"]
)
def test_removed_units_come_back_with_their_stamps_and_nothing_fires(
    project: SmallProject, last_run: str, *, stays: bool
) -> None:
    project.write()
    assert set(project.apply()["stopped"]) == {*TIMERS, "clock-one.target"}
    project.machine.run("touch", f"--date={last_run}", STAMP)
    before = project.machine.run("stat", "--format=%Y", STAMP).stdout
    project.clocks("rollback")
    assert listed(project, "--state=active", "--type=timer") == TIMERS
    assert (project.machine.run("stat", "--format=%Y", STAMP).stdout == before) is stays
    assert project.runs() == []


def test_remove_all_leaves_no_trace_and_lets_a_running_job_end(project: SmallProject) -> None:
    foreign = "/etc/systemd/system/clock-sync.timer"
    text = "[Timer]\\nUnit=systemd-tmpfiles-clean.service\\nOnCalendar=*-*-* 03:00:00\\n"
    project.machine.run("sh", "-c", f"printf '{text}' >{foreign}; systemctl start clock-sync.timer")
    project.machine.run("sh", "-c", "echo 5 >/run/small.long")
    project.machine.run("systemctl", "start", "clock-one-kept.service")
    wait_for("the start", lambda: project.runs() == ["start kept"], seconds=5)
    project.clocks("remove", "--all")
    wait_for("the end", lambda: project.runs() == ["start kept", "end kept"], seconds=10)
    assert listed(project, "--all", "--type=timer,service,target") == {"clock-sync.timer"}
    left = "find /etc/scheduled-tasks /etc/systemd/system /var/lib/systemd/timers /run/scheduled-tasks -name '*clock-*'"
    assert set(project.machine.run("sh", "-c", f"{left} || true").stdout.split()) == {
        foreign, "/etc/systemd/system/clock-.service.d",
    }  # fmt: skip
    assert project.clocks("remove", "--all").stdout == "nothing to do: the machine is so already\n"
    project.machine.run("sh", "-c", f"systemctl stop clock-sync.timer; rm {foreign}")


def test_a_second_apply_is_told_who_has_the_lock(project: SmallProject) -> None:
    holding = (
        "import fcntl\n"
        "from scheduled_tasks.cli import main\n"
        "lock = open('/run/scheduled-tasks/lock', 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('process 4711, since noon', file=lock, flush=True)\n"
        "main(['apply'])\n"
    )
    done = project.code(holding, check=False)
    assert done.returncode == 75
    assert done.stderr == "clocks: another apply is at work: process 4711, since noon; wait for its end\n"


def test_a_set_that_systemd_finds_fault_with_changes_nothing(project: SmallProject) -> None:
    configuration = project.machine.root / f"{FOLDER}/config.toml".lstrip("/")
    sound = configuration.read_text()
    configuration.write_text(sound.replace("bin/run-task", "bin/not-there"))
    try:
        before = project.clocks("sets", "--json").stdout
        done = project.clocks("apply", check=False)
        assert done.returncode == 65
        assert "clock-one-kept.service: Command /srv/small/bin/not-there is not executable" in done.stderr
        assert project.clocks("sets", "--json").stdout == before
    finally:
        configuration.write_text(sound)
    assert project.apply()["changed"] is False


def test_the_plan_is_what_an_apply_then_does(project: SmallProject) -> None:
    project.machine.run("sh", "-c", "echo 5 >/run/small.long")
    project.machine.run("systemctl", "start", "clock-one-plain.service")
    project.write(one={"kept": (at(3600), True)}, two={"other": ("hour=4", True)})
    done = project.clocks("plan", "--json", check=False)
    planned = json.loads(done.stdout)
    assert done.returncode == 2
    assert planned["running"] == {"clock-one-plain.service": "goes on to its end, and is not started again"}
    assert {each["timer"]: (bool(each["next"]), bool(each["new_next"])) for each in planned["timers"]} == {
        "clock-one-kept.timer": (True, True),
        "clock-one-plain.timer": (True, False),
        "clock-two-other.timer": (False, True),
    }
    applied = project.apply()
    assert (planned["restart"], planned["stop"]) == (applied["restarted"], applied["stopped"])
    assert applied["started"] == ["clock-two-other.timer"]
    assert project.clocks("plan").stdout == "nothing to do: the timers are as the clock files say\n"


def test_the_doctor_finds_what_is_wrong_and_its_command_mends_it(project: SmallProject) -> None:
    def found() -> dict[str, str]:
        findings = json.loads(project.clocks("doctor", "--json", check=False).stdout)
        return {each["where"]: each["mend"] for each in findings if each["where"].startswith("clock-")}

    assert found() == {}
    project.machine.run("systemctl", "stop", "clock-one-kept.timer")
    project.machine.run("rm", "/etc/systemd/system/clock-one-plain.service")
    assert found() == {
        "clock-one-kept.timer": "systemctl start clock-one-kept.timer",
        "clock-one-plain.service": "clocks apply",
    }
    assert project.clocks("doctor", check=False).returncode == 1
    project.machine.run("systemctl", "start", "clock-one-kept.timer")
    project.apply()
    assert found() == {}
