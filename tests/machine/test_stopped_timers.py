"""Faults inside the window in which an apply has timers stopped: `kill -9`, full disks, a power cut.

The apply waits before one operation of the window. From outside the test first asks systemd whether the timers are
stopped, and only then lets the fault happen: so each fault is proven to have hit the window.
"""

from __future__ import annotations

import signal
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.machine.inside import Done, python_inside
from tests.machine.machine import rebooted
from tests.machine.test_killed import NEW, OLD, TIMES, assert_completed, assert_old_or_new, look
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machine.project import SmallProject

pytestmark = pytest.mark.xdist_group("stopped_timers")

WAYS = (("new", NEW), ("old", OLD))
TIMERS = ("clock-one-kept.timer", "clock-one-plain.timer")  # both sets have them, at different times
RECORD = "/run/scheduled-tasks/stopped-timers.json"
# Applies, and waits before the nth operation that finds the timers stopped. Arguments: n, the timers.
HELD = """
import os, pathlib, subprocess, sys, time
from scheduled_tasks.project import enabled_clocks, configured_host
from scheduled_tasks.deploy.apply import apply
from scheduled_tasks.render.units import render
from scheduled_tasks.deploy.effects import Effects

class Held(Effects):
    count = 0
    def step(self, operation, what):
        timers = sys.argv[2:]
        asked = subprocess.run(["systemctl", "is-active", *timers], capture_output=True, text=True)
        if asked.stdout.split() != ["inactive"] * len(timers):
            return
        self.count += 1
        if self.count == int(sys.argv[1]):
            pathlib.Path("/run/held.new").write_text(f"{os.getpid()} {operation} {what}")
            pathlib.Path("/run/held.new").rename("/run/held")
            while not os.path.exists("/run/go"):
                time.sleep(0.02)

apply(render(enabled_clocks(), configured_host()), effects=Held())
"""
# What an apply writes to, each a small file system of its own.
DISKS = ("/etc/scheduled-tasks", "/run/scheduled-tasks", "/var/lib/systemd/timers", "/var/lib/scheduled-tasks")
MOUNT = 'for disk; do mkdir -p "$disk"; mount -t tmpfs -o size=1m,nr_inodes=400 tmpfs "$disk"; done'
FILL = """
for disk; do
    cat /dev/zero >"$disk/full"
    number=0
    while true >"$disk/full.$number"; do number=$((number + 1)); done
done 2>/dev/null
true
"""
EMPTY = 'for disk; do rm -f "$disk"/full*; done'
UNMOUNT = 'for disk; do umount --lazy "$disk"; done'


@dataclass(frozen=True)
class HeldApply:
    """An apply that waits inside the window; `done` is its end."""

    pid: str
    operation: str
    done: Future[Done]


@contextmanager
def held(project: SmallProject, number: int) -> Iterator[HeldApply | None]:
    """Start an apply that waits before the nth operation of the window; None if it has fewer, and has ended."""
    project.machine.run("rm", "-f", "/run/held", "/run/go")
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(project.code, HELD, str(number), *TIMERS, check=False)

        def state() -> str:
            text = project.machine.run("cat", "/run/held", check=False).stdout
            return text or ("ended" if done.done() else "")

        try:
            pid, _, operation = wait_for("the apply to reach the window", state).partition(" ")
            yield HeldApply(pid, operation, done) if operation else None
        finally:
            project.machine.run("touch", "/run/go", check=False)


def assert_in_the_window(project: SmallProject) -> None:
    """The proof, from outside: systemd has the timers stopped, and the apply's record of them is there."""
    states = project.machine.run("systemctl", "is-active", *TIMERS, check=False).stdout.split()
    assert states == ["inactive"] * len(TIMERS)
    project.machine.run("test", "-s", RECORD)


def begin(project: SmallProject) -> None:
    project.write(**OLD)
    project.apply()


def test_an_apply_killed_at_any_operation_with_its_timers_stopped_is_completed_by_the_next(
    project: SmallProject,
) -> None:
    begin(project)
    operations = []
    for number in count(1):
        to, clocks = WAYS[(number - 1) % 2]
        project.write(**clocks)
        with held(project, number) as apply:
            if apply is None:
                break
            assert_in_the_window(project)
            project.machine.run("sh", "-c", f"kill -KILL {apply.pid}")
            assert apply.done.result().returncode == -signal.SIGKILL, apply
        assert_old_or_new(project, apply.operation)
        assert_completed(project, to, apply.operation)
        operations.append(apply.operation)
    text = "\n".join(operations)
    for expected in ("rename /etc/scheduled-tasks/units/current", "systemctl daemon-reload", "systemctl start"):
        assert expected in text


def test_disks_that_are_full_at_any_operation_with_the_timers_stopped_leave_no_timer_stopped(
    project: SmallProject,
) -> None:
    machine = project.machine
    project.clocks("remove", "--all")
    machine.run("sh", "-c", MOUNT, "sh", *DISKS)
    try:
        begin(project)
        failed = 0
        for number in count(1):
            to, clocks = WAYS[(number - 1) % 2]
            project.write(**clocks)
            with held(project, number) as apply:
                if apply is None:
                    break
                assert_in_the_window(project)
                machine.run("sh", "-c", FILL, "sh", *DISKS)
                machine.run("touch", "/run/go")
                done = apply.done.result()
            what = f"full at {apply.operation}: {done.stderr[-1000:]}"
            assert done.returncode == 0 or "No space left on device" in done.stderr, what
            failed += done.returncode != 0
            assert look(project)[2] in (set(TIMES["old"]), set(TIMES["new"])), what
            machine.run("sh", "-c", EMPTY, "sh", *DISKS)
            assert_completed(project, to, what)
        assert failed
    finally:
        machine.run("sh", "-c", UNMOUNT, "sh", *DISKS)
        project.clocks("remove", "--all")


# The last test: the fixture's Python inside the machine ends with it.
def test_a_power_cut_with_the_timers_stopped_leaves_the_old_set_or_the_new_with_every_timer_started(
    project: SmallProject,
) -> None:
    for number in count(1):
        begin(project)
        project.write(**NEW)
        with held(project, number) as apply:
            assert apply, "no reload"
            if apply.operation.startswith("systemctl daemon-reload"):  # `current` is the new set
                assert_in_the_window(project)
                machine = rebooted(project.machine)
                break
    list_timers = ("systemctl", "list-units", "--type=timer", "--state=active", "--plain", "--no-legend", "clock-*")

    def started() -> bool:
        names = {line.split()[0].removesuffix(".timer") for line in machine.run(*list_timers).stdout.splitlines()}
        return names in (set(TIMES["old"]), set(TIMES["new"]))

    wait_for("every timer of one set", started)
    with python_inside(machine) as inside:
        after = replace(project, machine=machine, inside=inside)
        machine.run("install", "--directory", "--mode=777", "/run/small")
        assert_old_or_new(after, "after the power cut")
        assert_completed(after, "new", "after the power cut")
