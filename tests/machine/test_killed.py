"""An apply that stops anywhere leaves the old set or the new, and the next one converges."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.machine.project import SmallProject, set_up

if TYPE_CHECKING:
    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("killed")

# Each changes something of every kind: a timer's time, a job that comes, one that goes, a clock that comes and goes.
OLD = {
    "one": {"kept": ("hour=3", True), "plain": ("hour=3", False), "goes": ("hour=4", True)},
    "gone": {"last": ("hour=5", False)},
}
NEW = {
    "one": {"kept": ("hour=6", True), "plain": ("hour=7", False), "comes": ("hour=8", True)},
    "come": {"first": ("hour=9", False)},
}
TIMES = {
    "old": {"clock-one-kept": "03", "clock-one-plain": "03", "clock-one-goes": "04", "clock-gone-last": "05"},
    "new": {"clock-one-kept": "06", "clock-one-plain": "07", "clock-one-comes": "08", "clock-come-first": "09"},
}
# Applies with hands that stop before their nth operation; says how many there were.
DRIVER = """
import errno, os, sys
from scheduled_tasks.cli.common import configured_clocks, configured_host
from scheduled_tasks.deploy.apply import apply
from scheduled_tasks.deploy.render import render
from scheduled_tasks.deploy.system import System

how, last = sys.argv[1], int(sys.argv[2])

class Stopping(System):
    count = 0
    def step(self, operation, what):
        self.count += 1
        if self.count == last:
            print(f"stopped before {self.count}: {operation} {what}", flush=True)
            if how == "killed":
                os._exit(137)
            raise OSError(errno.ENOSPC, "No space left on device")

apply(render(configured_clocks(), configured_host()), system=Stopping())
"""

# The sets that aren't in force go, so that each apply has to write its own; so does what lasts until a boot.
FORGET = """
rm -rf /run/scheduled-tasks
cd /etc/scheduled-tasks/units
for set in *; do
    [ "$set" = current ] || [ "$set" = "$(readlink current)" ] || rm -r "$set"
done
"""


@pytest.fixture(scope="module")
def project(machine: Machine) -> SmallProject:
    return set_up(machine)


def loaded(project: SmallProject) -> dict[str, str]:
    """The timers as systemd has them in memory now: each with its hour."""
    shown = project.machine.run(
        "systemctl", "show", "clock-*.timer", "--property=Id,LoadState,TimersCalendar"
    ).stdout  # fmt: skip
    units = [
        dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.split("\n\n") if block.strip()
    ]
    return {
        unit["Id"].removesuffix(".timer"): unit["TimersCalendar"].partition("*-*-* ")[2][:2]
        for unit in units
        if unit["LoadState"] == "loaded"
    }


def active(project: SmallProject) -> set[str]:
    """The timers that are started."""
    command = ("systemctl", "list-units", "--state=active", "--plain", "--no-legend", "clock-*.timer")
    return {line.split()[0].removesuffix(".timer") for line in project.machine.run(*command).stdout.splitlines()}


def assert_old_or_new(project: SmallProject, what: str) -> None:
    """As systemd has them, and as it will have them after a reload, which a package's installation may bring."""
    for _ in range(2):
        assert loaded(project) in known(project), what
        project.machine.run("systemctl", "daemon-reload")


def known(project: SmallProject) -> list[dict[str, str]]:
    """The sets, each also without those of its timers that stand still and are in memory no more."""
    now = loaded(project)
    inactive = {name for name in TIMES["old"] | TIMES["new"] if name not in now}
    return [
        {name: hour for name, hour in times.items() if name not in inactive} for times in TIMES.values()
    ]  # fmt: skip


def assert_converged(project: SmallProject, to: str, what: str) -> None:
    project.apply()
    assert active(project) == set(TIMES[to]), what
    assert loaded(project) == TIMES[to], what
    assert project.apply()["changed"] is False, what
    assert project.machine.run("sh", "-c", "ls -A /run/scheduled-tasks/held 2>/dev/null || true").stdout == "", what
    left = "ls -A /etc/scheduled-tasks/units | grep -v -x -E '[0-9a-f]{64}|current' || true"
    assert project.machine.run("sh", "-c", left).stdout == "", what
    assert project.runs() == [], what


@pytest.mark.parametrize(
    ("how", "direction"), [("killed", 0), ("failing", 1)], ids=["killed", "with a failing operation"]
)
def test_at_every_operation(project: SmallProject, how: str, direction: int) -> None:
    """Each number of an operation once, there and back by turns; the end is reached when neither way has so many."""
    ways = (("old", OLD), ("new", NEW))
    project.write(**ways[direction][1])
    project.apply()
    operation = completed = 0
    while completed < 2:
        operation += 1
        to, clocks = ways[(operation + direction) % 2]
        project.machine.run("sh", "-c", FORGET)
        project.write(**clocks)
        done = project.python("-c", DRIVER, how, str(operation), check=False)
        completed = completed + 1 if done.returncode == 0 else 0
        what = f"{how} {done.stdout}{done.stderr}"
        assert completed or done.stdout.startswith("stopped before"), what
        assert_old_or_new(project, what)
        assert_converged(project, to, what)
    assert operation > 60


def test_by_sigkill_at_random_moments(project: SmallProject) -> None:
    """What the kill leaves half done inside an operation, too; systemctl itself goes on, as it would."""
    project.write(**OLD)
    project.apply()
    chance = random.Random(20261123)
    begun = time.monotonic()
    project.write(**NEW)
    assert_converged(project, "new", "the first")
    longest = time.monotonic() - begun
    killed = 0
    for number in range(30):
        clocks, to = ((OLD, "old"), (NEW, "new"))[number % 2]
        project.write(**clocks)
        after = f"{chance.uniform(0.2, longest / 2):.3f}"
        done = project.under(("timeout", "--signal=KILL", after), "apply")
        killed += done.returncode != 0
        assert_old_or_new(project, f"killed after {after} s")
        assert_converged(project, to, f"killed after {after} s")
    assert killed > 10


@pytest.mark.parametrize("free", [0, 4, 16, 32])
def test_on_a_full_disk_the_old_set_stays_and_runs(project: SmallProject, free: int) -> None:
    project.clocks("remove", "--all")
    project.machine.run("mkdir", "-p", "/etc/scheduled-tasks")
    project.machine.run("mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", "/etc/scheduled-tasks")
    try:
        project.write(**OLD)
        assert_converged(project, "old", "before")
        project.write(**NEW)
        fill = f"cat /dev/zero >/etc/scheduled-tasks/full; truncate -s -{free}K /etc/scheduled-tasks/full"
        project.machine.run("sh", "-c", fill)
        done = project.clocks("apply", check=False)
        assert (done.returncode, "No space left on device" in done.stderr) == (73, True), done.stderr
        assert active(project) == set(TIMES["old"])
        assert_old_or_new(project, "full")
        project.machine.run("rm", "/etc/scheduled-tasks/full")
        assert_converged(project, "new", "after")
    finally:
        project.clocks("remove", "--all")
        project.machine.run("umount", "/etc/scheduled-tasks")


def test_on_a_read_only_etc_the_old_set_stays_and_runs(project: SmallProject) -> None:
    project.write(**OLD)
    assert_converged(project, "old", "before")
    project.write(**NEW)
    project.machine.run("sh", "-c", "mount --bind /etc /etc && mount -o remount,ro,bind /etc")
    try:
        done = project.clocks("apply", check=False)
        assert (done.returncode, "Read-only file system" in done.stderr) == (73, True), done.stderr
        assert active(project) == set(TIMES["old"])
        assert_old_or_new(project, "read-only")
    finally:
        project.machine.run("umount", "/etc")
    assert_converged(project, "new", "after")
