"""An apply that is stopped anywhere leaves the old set or the new one, and the next apply completes it."""

from __future__ import annotations

import random
import signal

import pytest

from tests.machine.project import FAR_HOUR, SmallProject

pytestmark = pytest.mark.xdist_group("killed")

ROUNDS = 12  # on each systemd
KILLS = 3  # applies killed in a row per round

# Hours of the day, in UTC, that do not occur while the tests run.
HOURS = {number: (FAR_HOUR - 6 + number) % 24 for number in range(3, 10)}
# Between them, one change of every kind: a timer's time, a job added and removed, a clock added and removed.
OLD = {
    "one": {
        "kept": (f"hour={HOURS[3]}", True),
        "plain": (f"hour={HOURS[3]}", False),
        "goes": (f"hour={HOURS[4]}", True),
    },
    "gone": {"last": (f"hour={HOURS[5]}", False)},
}
NEW = {
    "one": {
        "kept": (f"hour={HOURS[6]}", True),
        "plain": (f"hour={HOURS[7]}", False),
        "comes": (f"hour={HOURS[8]}", True),
    },
    "come": {"first": (f"hour={HOURS[9]}", False)},
}
TIMES = {
    "old": {
        "clock-one-kept": f"{HOURS[3]:02}",
        "clock-one-plain": f"{HOURS[3]:02}",
        "clock-one-goes": f"{HOURS[4]:02}",
        "clock-gone-last": f"{HOURS[5]:02}",
    },
    "new": {
        "clock-one-kept": f"{HOURS[6]:02}",
        "clock-one-plain": f"{HOURS[7]:02}",
        "clock-one-comes": f"{HOURS[8]:02}",
        "clock-come-first": f"{HOURS[9]:02}",
    },
}
# Applies, and is killed or fails before the nth operation.
DRIVER = """
import errno, os, sys
from scheduled_tasks.project import enabled_clocks, configured_host
from scheduled_tasks.deploy.apply import apply
from scheduled_tasks.render.units import render
from scheduled_tasks.deploy.effects import Effects

how, last = sys.argv[1], int(sys.argv[2])

class Stopping(Effects):
    count = unseen = 0
    def step(self, operation, what):
        if "/.unfinished-" in str(what):  # a file of a set that nothing refers to yet: a few of them are enough
            self.unseen += 1
            if self.unseen % 8 != 1:
                return
        self.count += 1
        if self.count == last:
            print(f"stopped before {self.count}: {operation} {what}", flush=True)
            if how == "killed":
                os._exit(137)
            raise OSError(errno.ENOSPC, "No space left on device")

apply(render(enabled_clocks(), configured_host()), effects=Stopping())
"""

# Applies, and kills itself a given time after its first operation; if it ends before that, prints the time it took.
MORTAL = """
import os, signal, sys, threading, time
from scheduled_tasks.project import enabled_clocks, configured_host
from scheduled_tasks.deploy.apply import apply
from scheduled_tasks.render.units import render
from scheduled_tasks.deploy.effects import Effects

class Mortal(Effects):
    begun = None
    def step(self, operation, what):
        if self.begun is None and not str(what).endswith("/lock"):
            self.begun = time.monotonic()
            threading.Timer(float(sys.argv[1]), os.kill, (os.getpid(), signal.SIGKILL)).start()

effects = Mortal()
apply(render(enabled_clocks(), configured_host()), effects=effects)
print(time.monotonic() - effects.begun)
"""

# Removes all sets but the current one, so that each apply has to write its own, and all files that a boot would remove.
FORGET = """
rm -rf /run/scheduled-tasks
cd /etc/scheduled-tasks/units
for set in *; do
    [ "$set" = current ] || [ "$set" = "$(readlink current)" ] || rm -r "$set"
done
"""


# The timers that systemd has loaded, and what is left of an apply. `systemctl show` asks for one unit after the other:
# a reload in between, by the systemctl of a killed apply, would show some from before it and some from after it.
LOOK = """
while grep -q -s -x systemctl /proc/[0-9]*/comm; do sleep 0.05; done
systemctl show "clock-*.timer" --all --property=Id,LoadState,ActiveState,TimersCalendar
echo "$1"
[ -z "$2" ] || { systemctl daemon-reload; systemctl show "clock-*.timer" --all --property=Id,LoadState,TimersCalendar; }
echo "$1"
ls -A /run/scheduled-tasks/blocked 2>/dev/null
ls -A /etc/scheduled-tasks/units 2>/dev/null | grep -v -x -E '[0-9a-f]{64}|current'
cat /run/small/runs 2>/dev/null
true
"""
MARK = "-- next --"


def look(project: SmallProject, *, reload: bool = False) -> tuple[dict[str, str], dict[str, str], set[str], str]:
    """The loaded timers and their hours, the same after a reload, the started timers, and leftovers of an apply."""
    printed = project.machine.run("sh", "-c", LOOK, "sh", MARK, "reload" if reload else "").stdout
    now, after, left = printed.split(f"{MARK}\n")
    units = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in now.split("\n\n")]
    started = {unit["Id"].removesuffix(".timer") for unit in units if unit.get("ActiveState") == "active"}
    return loaded(now), loaded(after), started, left


def loaded(shown: str) -> dict[str, str]:
    units = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.split("\n\n")]
    return {
        unit["Id"].removesuffix(".timer"): unit["TimersCalendar"].partition("*-*-* ")[2][:2]
        for unit in units
        if unit.get("LoadState") == "loaded"
    }


def assert_old_or_new(project: SmallProject, what: str, *, reload: bool = True) -> None:
    """Both as systemd has loaded the units and as it would after a reload, which installing a package can cause."""
    now, after, *_ = look(project, reload=reload)
    assert now in TIMES.values(), what
    assert after in TIMES.values() or not reload, what


def assert_completed(project: SmallProject, to: str, what: str) -> None:
    project.apply()
    now, _, started, left = look(project)
    assert started == set(TIMES[to]), what
    assert now == TIMES[to], what
    assert left == "", what  # no blocked service, no incomplete set, and no run


def assert_nothing_to_do(project: SmallProject) -> None:
    assert project.apply()["changed"] is False


def test_an_apply_killed_before_any_operation_leaves_the_old_set_or_the_new(project: SmallProject) -> None:
    stop_at_every_operation(project, "killed", 0)


# What follows a failing operation does not depend on systemd's version: one is enough.
@pytest.mark.parametrize("either_machine", ["this machine's"], indirect=True)
def test_a_failure_of_any_operation_leaves_the_old_set_or_the_new(project: SmallProject) -> None:
    stop_at_every_operation(project, "failing", 1)


def stop_at_every_operation(project: SmallProject, how: str, direction: int) -> None:
    """Stop before each operation once, switching there and back in turn, until no operation is left either way."""
    ways = (("old", OLD), ("new", NEW))
    project.write(**ways[direction][1])
    project.apply()
    operation = completed = 0
    while completed < 2:
        operation += 1
        to, clocks = ways[(operation + direction) % 2]
        project.machine.run("sh", "-c", FORGET)
        project.write(**clocks)
        done = project.code(DRIVER, how, str(operation), check=False)
        completed = completed + 1 if done.returncode == 0 else 0
        what = f"{how} {done.stdout}{done.stderr}"
        assert completed or done.stdout.startswith("stopped before"), what
        assert_old_or_new(project, what)
        assert_completed(project, to, what)
    assert_nothing_to_do(project)
    assert operation > 50


def test_an_apply_killed_at_a_random_moment_leaves_the_old_set_or_the_new(project: SmallProject) -> None:
    """Unlike the test above, this kills it even within an operation; systemctl itself goes on, as it really would.

    The moments are random, one in each of as many equal parts of an apply, in random order.
    """
    project.write(**OLD)
    project.apply()
    chance = random.Random(20261123)
    took = []
    for clocks in (NEW, OLD, NEW):
        project.write(**clocks)
        took.append(float(project.code(MORTAL, "3600").stdout))
    part = min(took) / (ROUNDS * KILLS)  # the least, because the host may have been slow for a moment
    moments = [part * (number + chance.random()) for number in range(ROUNDS * KILLS)]
    chance.shuffle(moments)
    killed = 0
    for number in range(ROUNDS):
        for attempt in range(KILLS):
            clocks, to = ((OLD, "old"), (NEW, "new"))[(number + attempt) % 2]
            project.write(**clocks)
            after = moments.pop()
            what = f"the kill {attempt} of round {number}, after {after} s"
            killed += project.code(MORTAL, str(after), check=False).returncode == -signal.SIGKILL
            # A reload in between does a part of the next apply's work, so it is made only sometimes.
            assert_old_or_new(project, what, reload=attempt == KILLS - 1 and number % 2 == 0)
        assert_completed(project, to, what)
    assert_nothing_to_do(project)
    assert killed > ROUNDS * KILLS / 2


@pytest.mark.parametrize("free", [0, 4, 16, 32])
def test_on_a_full_disk_the_old_set_stays_current_and_active(project: SmallProject, free: int) -> None:
    project.clocks("remove", "--all")
    project.machine.run("mkdir", "-p", "/etc/scheduled-tasks")
    project.machine.run("mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", "/etc/scheduled-tasks")
    try:
        project.write(**OLD)
        assert_completed(project, "old", "before")
        project.write(**NEW)
        fill = f"cat /dev/zero >/etc/scheduled-tasks/full; truncate -s -{free}K /etc/scheduled-tasks/full"
        project.machine.run("sh", "-c", fill)
        done = project.clocks("apply", check=False)
        assert (done.returncode, "No space left on device" in done.stderr) == (73, True), done.stderr
        assert look(project)[2] == set(TIMES["old"])
        assert_old_or_new(project, "full")
        project.machine.run("rm", "/etc/scheduled-tasks/full")
        assert_completed(project, "new", "after")
    finally:
        project.clocks("remove", "--all")
        project.machine.run("umount", "/etc/scheduled-tasks")


def test_on_a_read_only_etc_the_old_set_stays_current_and_active(project: SmallProject) -> None:
    project.write(**OLD)
    assert_completed(project, "old", "before")
    project.write(**NEW)
    project.machine.run("sh", "-c", "mount --bind /etc /etc && mount -o remount,ro,bind /etc")
    try:
        done = project.clocks("apply", check=False)
        assert (done.returncode, "Read-only file system" in done.stderr) == (73, True), done.stderr
        assert look(project)[2] == set(TIMES["old"])
        assert_old_or_new(project, "read-only")
    finally:
        project.machine.run("umount", "/etc")
    assert_completed(project, "new", "after")
