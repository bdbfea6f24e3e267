"""Onto the machine: files are compared with what is there, judged before anything is touched, and brought into force.

What comes in: a set's files. What goes out: what was done, or an error that leaves the machine as it was. One at a
time, by a lock; the steps are those of `switch`.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from scheduled_tasks.deploy.analyze import verify
from scheduled_tasks.deploy.effects import System
from scheduled_tasks.deploy.machine_state import read_facts
from scheduled_tasks.deploy.plan import Conflict, plan
from scheduled_tasks.deploy.security import gate
from scheduled_tasks.deploy.switch import Switch
from scheduled_tasks.errors import ScheduledTasksError, ServiceUnavailableError
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import UnitSet


class ForeignUnitError(ScheduledTasksError):
    """A unit of this name is there already and isn't ours, or was edited by hand."""

    exit_code = 65

    def __init__(self, conflicts: tuple[Conflict, ...]) -> None:
        super().__init__("\n".join(("nothing was changed:", *map(str, conflicts))))


class UnwritableError(ScheduledTasksError):
    """A file or folder can't be written."""

    exit_code = 73


class AnotherApplyError(ScheduledTasksError):
    """Another apply is at work."""

    exit_code = 75


@dataclass(frozen=True)
class Applied:
    """What an apply did; all empty where the machine had the set already.

    `caught_up` are the services whose run fell due while their timer was stopped.
    """

    started: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    changed_files: tuple[str, ...] = ()
    caught_up: tuple[str, ...] = ()
    changed: bool = False


def apply(files: UnitSet, places: Places | None = None, system: System | None = None) -> Applied:
    """Brings the machine to a set: nothing fired, no running job killed, no run lost.

    Raises:
        ForeignUnitError: what is in the way; nothing was changed.
        UnsoundUnitError: systemd finds fault with a unit; nothing was changed.
        ExposedUnitError: a service is too exposed; nothing was changed.
        AnotherApplyError: somebody else is at it.
        UnwritableError: a disk is full or read-only. The timers that had been stopped run again.
        SystemdError: systemctl failed; what it said. The timers that had been stopped run again.
    """
    places = places or Places()
    system = system or System(places.manager)
    with locked(places, system):
        facts = read_facts(places, files, whole=False)
        todo = plan(files, facts)
        if facts.conflicts:
            raise ForeignUnitError(facts.conflicts)
        if todo.is_empty:
            return Applied()
        if todo.switches:
            judge(files, places)
        caught_up = Switch(files, facts, todo, places, system).carry_out()
    timers = tuple(unit for unit in todo.start if unit.endswith(".timer"))
    changed_files = tuple(sorted(todo.created + todo.changed + todo.removed))
    return Applied(timers, todo.restart, todo.stop, changed_files, caught_up, changed=True)


def judge(files: UnitSet, places: Places) -> None:
    """Has systemd read a set, and measure how exposed its services are, before anything is touched.

    An image is judged as far as this machine can; what a user's own systemd has no right to is no fault of a unit.

    Raises:
        UnsoundUnitError: systemd finds fault with a unit.
        ExposedUnitError: a service is more exposed than its clock file says by name.
    """
    try:
        verify(files, places)
        if not places.home:
            gate(files)
    except ServiceUnavailableError:
        if places.is_running:
            raise


@contextmanager
def locked(places: Places, system: System) -> Iterator[None]:
    """Keeps a second apply out; the kernel gives the lock back whatever happens to this process.

    Raises:
        AnotherApplyError: who has the lock.
        UnwritableError: a file operation failed on the way.
    """
    try:
        if not places.is_running:
            yield  # an image is its builder's alone
            return
        path = places.runtime / "lock"
        with _opened_and_locked(path, system):
            since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
            system.write(path, f"process {os.getpid()}, since {since}\n")
            yield
    except OSError as error:
        # The timers run as before, or as the new set says: `clocks apply` finishes it, once there is room.
        who = "" if os.geteuid() == 0 or places.home else "; run it as root"
        raise UnwritableError(f"{error.filename2 or error.filename}: {error.strerror}{who}") from error


def _opened_and_locked(path: Path, system: System) -> TextIO:
    while True:
        system.folder(path.parent)
        lock = path.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            holder = path.read_text().strip()
            raise AnotherApplyError(f"another apply is at work: {holder}; wait for its end") from None
        # `clocks remove --all` takes the file away while it has the lock: then this is nobody's any more.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return lock
        lock.close()
