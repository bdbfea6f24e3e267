"""Apply a set of unit files to the machine: compare, verify before anything is touched, then switch.

An error leaves the machine as it was. A lock admits one apply at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from scheduled_tasks.deploy import credentials
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.machine_state import read_machine_state
from scheduled_tasks.deploy.plan import Conflict, plan
from scheduled_tasks.deploy.remembered.judgement import judge, remember
from scheduled_tasks.deploy.sandboxes import transient
from scheduled_tasks.deploy.switch import Switch
from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.instants import shown
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import UnitSet


class ForeignUnitError(ScheduledTasksError):
    """A unit of this name exists and is not ours, or was edited by hand."""

    exit_code = 65

    def __init__(self, conflicts: tuple[Conflict, ...]) -> None:
        super().__init__("\n".join(("nothing was changed:", *map(str, conflicts))))


class UnwritableError(ScheduledTasksError):
    """A file or folder can't be written."""

    exit_code = 73


class AnotherApplyError(ScheduledTasksError):
    """Another apply is running."""

    exit_code = 75


@dataclass(frozen=True)
class Applied:
    """What an apply did; empty if the machine already had the set."""

    started: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    changed_files: tuple[str, ...] = ()
    caught_up: tuple[str, ...] = ()  # the services whose run fell due while their timer was stopped
    changed: bool = False


def apply(
    units: UnitSet,
    places: Places | None = None,
    effects: Effects | None = None,
    *,
    try_out: Callable[[UnitSet], None] | None = None,
) -> Applied:
    """Bring the machine to a set, without starting a job, ending a running one or losing a run.

    `try_out` is called with a set that is not the current one, and can refuse it, before anything is touched.

    Raises:
        ForeignUnitError: files are in the way; nothing was changed.
        UnsoundUnitError: systemd finds a unit faulty; nothing was changed.
        ExposedUnitError: a service is too exposed; nothing was changed.
        AnotherApplyError: another apply is running.
        UnwritableError: a disk is full or read-only. The stopped timers run again.
        SystemdError: systemctl failed; with its message. The stopped timers run again.
    """
    places = places or Places()
    effects = effects or Effects(places.manager)
    with locked(places, effects):
        if places.is_running:
            transient.remove_abandoned(places, effects)
        state = read_machine_state(places, units, whole=False)
        todo = plan(units, state)
        if state.conflicts:
            raise ForeignUnitError(state.conflicts)
        if todo.is_empty:
            credentials.renew(places, effects)
            return Applied()
        circumstances = judge(units, places, state.units) if todo.flips else {}
        if todo.flips and try_out:
            try_out(units)
        caught_up = Switch(units, state, todo, places, effects).carry_out()
        if todo.flips and places.is_running:
            remember(units, circumstances, places, effects)
    timers = tuple(unit for unit in todo.start if unit.endswith(".timer"))
    changed_files = tuple(sorted(todo.created + todo.changed + todo.removed))
    return Applied(timers, todo.restart, todo.stop, changed_files, caught_up, changed=True)


@contextmanager
def locked(places: Places, effects: Effects) -> Iterator[None]:
    """Exclude a second apply; the kernel releases the lock whatever happens to this process.

    Raises:
        AnotherApplyError: another process has the lock; names it.
        UnwritableError: a file operation failed.
    """
    try:
        if not places.is_running:
            yield  # nobody but its builder uses an image
            return
        path = places.runtime / "lock"
        with _lock(path, effects):
            effects.write(path, f"process {os.getpid()}, since {shown(datetime.now(UTC))}\n")
            yield
    except OSError as error:
        # The timers run by the old set or by the new one; once there is space, `clocks apply` finishes the switch.
        who = "" if os.geteuid() == 0 or places.home else "; run it as root"
        raise UnwritableError(f"{error.filename2 or error.filename}: {error.strerror}{who}") from error


def _lock(path: Path, effects: Effects) -> TextIO:
    while True:
        effects.folder(path.parent)
        lock = effects.lock(path)
        if lock is None:
            raise AnotherApplyError(f"another apply is running: {path.read_text().strip()}; wait until it has finished")
        # `clocks remove --all` removes the file while it has the lock: a lock on a removed file excludes nobody.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return lock
        lock.close()
