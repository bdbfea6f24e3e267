"""Read the state of the machine: the current set, our links, conflicts with them, and what systemd has loaded.

A handful of calls suffices however many units there are. systemd answers a list of units at once. `systemctl show` asks
it for one unit after the other, which takes a third of a second for a thousand, and many seconds on a busy machine: it
is left out if no file changed since systemd read them all.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from math import inf
from pathlib import Path

from scheduled_tasks.deploy import systemd
from scheduled_tasks.deploy.plan import Conflict, Loaded, MachineState, StoppedTimers
from scheduled_tasks.instants import parse_systemd
from scheduled_tasks.render.names import JOBS, OVERRIDE_DROP_IN, Places, service_name, timer_name
from scheduled_tasks.render.unit_set import WANTED_BY, UnitSet

SUMS = "SHA256SUMS"
TIMED = ("clock-*.timer", "clock-*.target")
ACTIVE_STATES = ("active", "activating")
OVERRIDE_MARK = "# Made by `clocks apply` while this job ran:"
COARSE = 5  # CLOCK_REALTIME_COARSE: the time of the kernel's last tick, which it gives to files
HOST_JOB = "Id,ActiveState,Result,ExecMainStatus,ExecMainStartTimestamp,NextElapseUSecRealtime"
JOB_UNITS = ("clock-*.timer", "clock-*.service")
SHOWN = "Id,ActiveState,NeedDaemonReload,NextElapseUSecRealtime,LoadState,FragmentPath"


def read_machine_state(places: Places, units: UnitSet, *, whole: bool = True) -> MachineState:
    """Read everything that a plan for a set needs to know about the machine.

    With `whole=False`, systemd is not asked when each timer elapses.
    """
    current = places.current.resolve() if places.current.is_dir() else None
    current_units = (units if units.folder == current else read_set(current)) if current else UnitSet()
    links = dict(_our_links(places))
    unfinished = read_stopped_timers(places)
    loaded: Mapping[str, Loaded] = {}
    if places.is_running:
        loaded = _loaded(places) if whole or unfinished or _is_outdated(places) else _listed(places)
    missing = units.links.keys() - links.keys()
    conflicts = [*_in_the_way(places, missing), *_packaged(places, missing)]
    if current:
        conflicts += edited(current, current_units)
    if (kept := places.sets / units.name).is_dir() and kept != current:
        conflicts += edited(kept, read_set(kept))  # it would be used again
    return MachineState(
        units=current_units,
        links=links,
        conflicts=tuple(conflicts),
        loaded=loaded,
        running=running(places) if places.is_running else frozenset(),
        overrides=dict(overrides(places)) if places.is_running else {},
        unfinished=unfinished,
        is_running=places.is_running,
    )


def running(places: Places) -> frozenset[str]:
    """The clocks' services that are running or starting."""
    return frozenset(systemd.list_units(systemd.RUNNING_STATES, "clock-*.service", manager=places.manager))


def overrides(places: Places) -> Iterator[tuple[str, str]]:
    """The limits overrides that an apply wrote (running_jobs.py): service → text."""
    patterns = ("clock-*.service", f"clock-*.service.d/{OVERRIDE_DROP_IN}")
    for path in (path for pattern in patterns for path in places.transient.glob(pattern)):
        with suppress(FileNotFoundError):  # the run ended meanwhile
            if (text := path.read_text()).startswith(OVERRIDE_MARK):
                yield (path.name if path.name != OVERRIDE_DROP_IN else path.parent.name.removesuffix(".d")), text


def read_set(folder: Path) -> UnitSet:
    """A set's files, by their paths in it."""
    paths = [f"{within}/{name}" for within, _, names in os.walk(folder) for name in names if name != SUMS]
    files = {}
    for path in paths:
        with open(path, errors="replace") as file:  # noqa: PTH123 - twice as fast as a Path, for thousands of them
            files[path.removeprefix(f"{folder}/")] = file.read()
    return UnitSet(files, folder)


def stopped_timers_path(places: Places) -> Path:
    """Where an apply records which timers it is about to stop."""
    return places.runtime / "stopped-timers.json"


def read_stopped_timers(places: Places) -> StoppedTimers | None:
    """The timers that a killed apply had stopped; None if the last apply finished."""
    try:
        record = json.loads(stopped_timers_path(places).read_text())
    except FileNotFoundError:
        return None
    return StoppedTimers(record["timers"], tuple(record["pending"]))


def _our_links(places: Places) -> Iterator[tuple[str, bool]]:
    """The links into our sets, each with whether it goes through `current` and to the file of its own name."""
    folders = [places.systemd, places.systemd / WANTED_BY, *places.systemd.glob("clock-*.service.d")]
    ours, current = f"{places.link_target('').parent}/", f"{places.link_target('')}/"
    for folder in folders:
        within = "" if folder == places.systemd else f"{folder.relative_to(places.systemd)}/"
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_symlink():
                    continue
                target = os.readlink(entry.path)  # noqa: PTH115 - ten times as fast as a Path, for thousands of them
                if target.startswith(ours):
                    path = f"{within}{entry.name}"
                    yield path, target == f"{current}{path.removeprefix(f'{WANTED_BY}/')}"


def _in_the_way(places: Places, missing: Iterable[str]) -> Iterator[Conflict]:
    """Files and foreign links that have the name of a missing link."""
    for path in sorted(missing):
        link = places.systemd / path
        if not os.path.lexists(link):
            continue
        if link.is_symlink() and link.readlink() == Path("/dev/null"):
            command = " ".join(("systemctl", *places.manager, "unmask", link.name))
            yield Conflict(str(link), "masked", f"run '{command}'", command)
        elif link.is_symlink():
            yield Conflict(str(link), f"a link to {link.readlink()}, not made by clocks", "move it away")
        else:
            text = "a file that clocks did not make, or a unit edited by hand"
            yield Conflict(str(link), text, "move it away; put your own lines into a drop-in of another name")


def _packaged(places: Places, missing: Iterable[str]) -> Iterator[Conflict]:
    """Units from packages that a unit of ours with the same name would replace."""
    for folder in places.packaged:
        packaged = {path.name for path in folder.glob("clock*.*") if not path.is_dir()}
        for path in sorted(packaged & set(missing)):
            yield Conflict(str(folder / path), "a package's unit, which ours would replace", "rename the job")


def edited(folder: Path, units: UnitSet) -> Iterator[Conflict]:
    """The files of a set that differ from its checksums; a set never changes after it was made."""
    if units.name == folder.name:
        return
    made: set[str] = set()
    with suppress(FileNotFoundError):
        made = set((folder / SUMS).read_text().splitlines())
    for path in sorted({line.partition("  ")[2] for line in made ^ set(units.checksums.splitlines())}):
        instead = f"put your lines into a drop-in (systemctl edit), then move {folder} away and apply again"
        yield Conflict(str(folder / path), "edited by hand", instead)


def _is_outdated(places: Places) -> bool:
    """Whether a file of the clocks' timers and targets can have changed since systemd read them."""
    [manager] = systemd.show("UnitPath,UnitsLoadTimestamp", manager=places.manager)
    loaded_at = systemd.timestamp(manager.get("UnitsLoadTimestamp", ""))
    # Generators write while units are loaded, but nothing about clocks.
    folders = [folder for folder in manager["UnitPath"].split() if "/generator" not in folder]
    changes = (change for folder in folders for change in _changes(folder))
    return max(changes, default=inf) > loaded_at - time.clock_getres(COARSE)


def _listed(places: Places) -> dict[str, Loaded]:
    """The clocks' timers and targets, if systemd has read their present files: only whether they are active."""
    active = set(systemd.list_units(ACTIVE_STATES, *TIMED, manager=places.manager))
    listed = systemd.list_units((), *TIMED, manager=places.manager)
    return {unit: Loaded(active=unit in active) for unit in listed}


def _changes(folder: str) -> Iterator[float]:
    """When the clocks' timers and targets, and their drop-ins, last changed in a folder of units."""
    if not Path(folder).is_dir():
        return
    yield Path(folder).stat().st_ctime
    with os.scandir(folder) as entries:
        for entry in entries:
            if folder.endswith(".d") or entry.name.startswith("clock") or entry.name in {"timer.d", "target.d"}:
                try:
                    status = entry.stat()
                except FileNotFoundError:  # a dangling link
                    yield inf
                    continue
                if stat.S_ISDIR(status.st_mode):
                    yield from _changes(entry.path)
                else:
                    yield status.st_ctime


def _loaded(places: Places) -> dict[str, Loaded]:
    return {
        unit["Id"]: Loaded(
            active=unit["ActiveState"] in ACTIVE_STATES,
            outdated=unit["NeedDaemonReload"] == "yes",
            next_run=systemd.timestamp(unit.get("NextElapseUSecRealtime", "")),
            without_file=unit["LoadState"] == "not-found" or not Path(unit["FragmentPath"]).exists(),
        )
        for unit in systemd.show(SHOWN, *TIMED, manager=places.manager)
    }


def inactive_timers(places: Places) -> dict[str, float]:
    """The clocks' inactive timers, and since when in seconds since the epoch; 0 if since the boot."""
    timers = systemd.list_units(["inactive"], "clock-*.timer", manager=places.manager)
    shown = systemd.show("Id,InactiveEnterTimestamp", *timers, manager=places.manager) if timers else []
    return {unit["Id"]: systemd.timestamp(unit["InactiveEnterTimestamp"]) for unit in shown}


@dataclass(frozen=True)
class HostJob:
    """What systemd knows of a job of the current set, without the ledger.

    Attributes:
        clock, job: the job.
        state: `running`, `failed: RESULT CODE`, `exited 0` (it ended or was skipped) or `not run since the boot`.
        is_bad: whether its last run here failed, or its timer is stopped.
        last_at: when it was last started here since the boot.
        next_at: when its timer elapses next.
    """

    clock: str
    job: str
    state: str
    is_bad: bool
    last_at: datetime | None
    next_at: datetime | None


def host_jobs(places: Places, clock: str = "", job: str = "") -> list[HostJob]:
    """The jobs of the current set, or those of a clock, or one, as systemd knows them.

    Raises:
        SystemdError, OSError: no systemd runs here.
    """
    path = places.current / JOBS
    jobs = json.loads(path.read_text())["jobs"] if path.is_file() else []
    wanted = [row for row in jobs if clock in {"", row["clock"]} and job in {"", row["job"]}]
    units = {unit["Id"]: unit for unit in systemd.show(HOST_JOB, *JOB_UNITS, manager=places.manager)} if wanted else {}
    return [_host_job(row["clock"], row["job"], units, paused=row["options"].get("paused", False)) for row in wanted]


def _host_job(clock: str, job: str, units: Mapping[str, dict[str, str]], *, paused: bool) -> HostJob:
    service, timer = units.get(service_name(clock, job), {}), units.get(timer_name(clock, job), {})
    is_stopped = not paused and timer.get("ActiveState") != "active"
    last = parse_systemd(service.get("ExecMainStartTimestamp", ""))
    failed = service.get("ActiveState") == "failed"
    if failed:
        state = f"failed: {service['Result']} {service['ExecMainStatus']}"
    elif service.get("ActiveState") in systemd.RUNNING_STATES:
        state = "running"
    else:
        state = f"exited {service['ExecMainStatus']}" if last else "not run since the boot"
    if is_stopped:
        state += ", timer stopped"
    return HostJob(
        clock, job, state, failed or is_stopped, last, parse_systemd(timer.get("NextElapseUSecRealtime", ""))
    )


def failed_units(places: Places) -> frozenset[str]:
    """The clocks' units in the state failed."""
    return frozenset(systemd.list_units(["failed"], "clock-*", manager=places.manager))


def orphaned_stamps(places: Places) -> list[str]:
    """The stamps of clocks' timers that belong neither to a kept set nor to another unit."""
    folders = (places.systemd, *places.packaged)
    known = {path.name for path in places.sets.glob("*/*.timer")}
    known |= {path.name for folder in folders for path in folder.glob("clock-*.timer")}
    stamps = places.stamps.glob("stamp-clock-*.timer")
    return sorted(str(stamp) for stamp in stamps if stamp.name.removeprefix("stamp-") not in known)
