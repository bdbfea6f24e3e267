"""Onto the machine: from a plan to done, in an order in which a machine that stops anywhere has the old set or the new.

A rendered set is an immutable folder named by the hash of its content; `current` points to the one in force, and
/etc/systemd/system links through it. One rename takes the machine from one set to the other; decision 0012 tells
why each step stands where it does. Every act goes through `System`.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scheduled_tasks.deploy import deployed
from scheduled_tasks.deploy import plan as planning
from scheduled_tasks.deploy.analyze import verify
from scheduled_tasks.deploy.facts import SUMS, read_facts
from scheduled_tasks.deploy.names import Places
from scheduled_tasks.deploy.plan import Facts, Plan, Refusal, set_name, sums
from scheduled_tasks.deploy.security import gate
from scheduled_tasks.deploy.system import System
from scheduled_tasks.deploy.window import close, opened, uninterrupted
from scheduled_tasks.errors import ScheduledTasksError, ServiceUnavailableError

KEPT_SETS = 5
FOLLOWING = ".following"  # what becomes `current`


class ForeignUnitError(ScheduledTasksError):
    """A unit of this name is there already and isn't ours, or was edited by hand."""

    exit_code = 65

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        super().__init__("\n".join(("nothing was changed:", *map(str, refusals))))


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


def write_set(files: Mapping[str, str], folder: Path, system: System | None = None) -> None:
    """Writes a set's files below a folder."""
    system = system or System()
    for path, text in files.items():
        system.folder((folder / path).parent)
        system.write(folder / path, text)


def apply(files: Mapping[str, str], places: Places | None = None, system: System | None = None) -> Applied:
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
        todo = planning.plan(files, facts)
        if facts.refusals:
            raise ForeignUnitError(facts.refusals)
        if todo.is_empty:
            return Applied()
        if todo.flips:
            judge(files, places)
        caught_up = carry_out(files, facts, todo, places, system)
    timers = tuple(unit for unit in todo.start if unit.endswith(".timer"))
    changed_files = tuple(sorted(todo.created + todo.changed + todo.removed))
    return Applied(timers, todo.restart, todo.stop, changed_files, caught_up, changed=True)


def judge(files: Mapping[str, str], places: Places) -> None:
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


def carry_out(files: Mapping[str, str], facts: Facts, todo: Plan, places: Places, system: System) -> tuple[str, ...]:
    """The steps, in their order. Until `stop` nothing has an effect, since links to what isn't there are ignored."""
    flip = _prepare(files, todo, places, system)
    # systemd would keep a target that is gone in memory for these; the units' own links tell an apply after a killed
    # one which units were ours, so they go last.
    wants = [link for link in todo.stale_links if link.startswith(planning.WANTED_BY)]
    caught_up: tuple[str, ...] = ()
    if not places.is_running:
        _flip(flip, places, system)
    else:
        before = places.current.readlink() if places.current.is_symlink() else None
        with uninterrupted():
            window = opened(facts, todo, files, places, system)
            since = max((window.noted.timers[timer] for timer in todo.restart), default=time.time())
            noted = deployed.note(files, since, places, system) if todo.flips and not places.home else None
            try:
                system.systemctl("stop", [*todo.stop, *todo.restart])
                _flip(flip, places, system)
                for link in wants:
                    system.remove(places.systemd / link)
                if todo.reload:
                    system.systemctl("daemon-reload")
            except Exception:
                _flip_back(before, wants, places, system)
                close(window, facts.files, places, system)
                if noted:
                    system.remove(noted)
                raise
            caught_up = close(window, files, places, system)
            if noted:
                deployed.complete(noted, files, since, time.time(), system)
    for link in todo.stale_links:
        system.remove(places.systemd / link)
        _tidy(places.systemd / link, system)
    _forget_old_sets(places, system)
    if places.is_running:
        window.forget(places, system)
    return caught_up


def _prepare(files: Mapping[str, str], todo: Plan, places: Places, system: System) -> Path | None:
    """Writes the set, all links, and the link that is to become `current`."""
    system.folder(places.systemd)
    folder = places.sets / set_name(files)
    if todo.flips and files and not folder.is_dir():
        unfinished = places.sets / f".unfinished-{folder.name}"
        system.remove_folder(unfinished)
        system.folder(unfinished)
        try:
            write_set({**files, SUMS: sums(files)}, unfinished, system)
            system.rename(unfinished, folder)
        except OSError:
            system.remove_folder(unfinished)
            raise
    wanted = planning.links_of(files)
    for link in todo.missing_links:
        system.folder((places.systemd / link).parent)
        system.link(places.systemd / link, places.link_target(wanted[link]))
    if not todo.flips:
        return None
    following = places.sets / FOLLOWING
    if os.path.lexists(following):
        system.remove(following)  # an apply that was killed left it, and it may lead elsewhere
    if files:
        system.set_time(folder, time.time())
        system.link(following, folder.name)
    system.flush()
    return following


def _flip(following: Path | None, places: Places, system: System) -> None:
    if following is None:
        return
    if os.path.lexists(following):
        system.rename(following, places.current)
    else:
        system.remove(places.current)


def _flip_back(before: Path | None, wants: list[str], places: Places, system: System) -> None:
    """Has the files say again what systemd has loaded, so that the timers that were stopped go on by the old set."""
    now = places.current.readlink() if places.current.is_symlink() else None
    if now == before:
        return
    if before is None:
        system.remove(places.current)
    else:
        system.link(places.current, before)
    for link in wants:
        system.link(places.systemd / link, places.link_target(Path(link).name))


def _tidy(link: Path, system: System) -> None:
    if link.parent.name.endswith(".d"):
        system.remove_if_empty(link.parent)


def _forget_old_sets(places: Places, system: System) -> None:
    for folder in sets(places)[KEPT_SETS:]:
        system.remove_folder(folder)
    for left in places.sets.glob(".*"):  # what applies that were killed had begun
        if left.is_symlink():
            system.remove(left)
        else:
            system.remove_folder(left)


def sets(places: Places) -> list[Path]:
    """The folders of the sets that are kept: the one in force, then the others, the last applied first."""
    if not places.sets.is_dir():
        return []
    in_force = places.current.resolve()
    folders = [
        path for path in places.sets.iterdir() if path.is_dir() and not path.is_symlink() and path.name[0] != "."
    ]
    return sorted(folders, key=lambda path: (path != in_force, -path.stat().st_mtime))


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
        system.folder(places.runtime)
        path = places.runtime / "lock"
        with path.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = path.read_text().strip()
                raise AnotherApplyError(f"another apply is at work: {holder}; wait for its end") from None
            since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
            system.write(path, f"process {os.getpid()}, since {since}\n")
            yield
    except OSError as error:
        # The timers run as before, or as the new set says: `clocks apply` finishes it, once there is room.
        who = "" if os.geteuid() == 0 or places.home else "; run it as root"
        raise UnwritableError(f"{error.filename2 or error.filename}: {error.strerror}{who}") from error
