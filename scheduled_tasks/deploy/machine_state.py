"""The machine as it is: the set in force, our links, what stands in their way, what systemd has loaded. Reads only.

A handful of calls however many units there are: lists of those that are active, and one `systemctl show` for all timers
and targets, which takes systemd a third of a second for a thousand and is left out where nothing can be to do.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from scheduled_tasks.deploy.effects import SystemdError
from scheduled_tasks.deploy.plan import Conflict, Facts, Loaded, StoppedTimers
from scheduled_tasks.render.names import LIMITS_OVERRIDE, Places
from scheduled_tasks.render.unit_set import WANTED_BY, UnitSet

SUMS = "SHA256SUMS"
RUNNING = "active,activating,deactivating,reloading"
TIMED = ("clock-*.timer", "clock-*.target")
KEPT_MARK = "# Made by `clocks apply` while this job ran:"
COARSE = 5  # CLOCK_REALTIME_COARSE, by which files get their times: the clock at the kernel's last tick
SHOWN = "Id,ActiveState,NeedDaemonReload,InactiveExitTimestamp,NextElapseUSecRealtime,LoadState,FragmentPath"


def read_facts(places: Places, files: UnitSet, *, whole: bool = True) -> Facts:
    """What has to be known of a machine before a set can be planned for it.

    Of a machine that is as the set says, `whole=False` asks for no more than that: when timers elapse is left out.
    """
    in_force = places.current.resolve() if places.current.is_dir() else None
    links = dict(_our_links(places))
    in_force_files = read_set(in_force) if in_force else UnitSet()
    unfinished = read_window(places)
    running_now: frozenset[str] = frozenset()
    kept_by_runs: Mapping[str, str] = {}
    loaded: Mapping[str, Loaded] = {}
    if places.is_running:
        is_settled = not (whole or unfinished) and in_force_files == files and links == dict.fromkeys(files.links, True)
        loaded = (is_settled and _all_active(places, files)) or _loaded(places)
        running_now = running(places)
        kept_by_runs = dict(_kept(places))
    wanted = files.links.keys() - links.keys()
    conflicts = [*_in_the_way(places, wanted), *_packaged(places, wanted)]
    if in_force:
        conflicts += edited(in_force, in_force_files)
    if (kept := places.sets / files.name).is_dir() and kept != in_force:
        conflicts += edited(kept, read_set(kept))  # it would be used again
    return Facts(
        units=in_force_files,
        links=links,
        conflicts=tuple(conflicts),
        loaded=loaded,
        running=running_now,
        overrides=kept_by_runs,
        unfinished=unfinished,
        is_running=places.is_running,
    )


def running(places: Places) -> frozenset[str]:
    """The clocks' services that run, or are about to."""
    return frozenset(_lines(places, "list-units", f"--state={RUNNING}", "clock-*.service"))


def _kept(places: Places) -> Iterator[tuple[str, str]]:
    """What an apply had runs keep (kept_runs.py): service → text."""
    for path in (
        *places.transient.glob("clock-*.service"),
        *places.transient.glob(f"clock-*.service.d/{LIMITS_OVERRIDE}"),
    ):
        with suppress(FileNotFoundError):  # the run ended meanwhile
            if (text := path.read_text()).startswith(KEPT_MARK):
                yield (path.name if path.name != LIMITS_OVERRIDE else path.parent.name.removesuffix(".d")), text


def read_set(folder: Path) -> UnitSet:
    """A set's files, by their paths in it."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return UnitSet({str(path.relative_to(folder)): path.read_text(errors="replace") for path in paths})


def window_path(places: Places) -> Path:
    """Where an apply notes what it is about to do."""
    return places.runtime / "window.json"


def read_window(places: Places) -> StoppedTimers | None:
    """What an apply that was killed left undone; None where the last one came to its end."""
    try:
        noted = json.loads(window_path(places).read_text())
    except FileNotFoundError:
        return None
    return StoppedTimers(noted["timers"], tuple(noted["pending"]))


def _our_links(places: Places) -> Iterator[tuple[str, bool]]:
    """The links that lead into our sets, each with whether it does so through `current` and by its own name."""
    folders = [places.systemd, places.systemd / WANTED_BY, *places.systemd.glob("clock-*.service.d")]
    ours, current = f"{places.link_target('').parent}/", f"{places.link_target('')}/"
    for folder in folders:
        within = "" if folder == places.systemd else f"{folder.relative_to(places.systemd)}/"
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_symlink():
                    continue
                target = os.readlink(entry.path)  # noqa: PTH115 - a Path for each of thousands takes ten times as long
                if target.startswith(ours):
                    path = f"{within}{entry.name}"
                    yield path, target == f"{current}{path.removeprefix(f'{WANTED_BY}/')}"


def _in_the_way(places: Places, wanted: Iterable[str]) -> Iterator[Conflict]:
    for path in sorted(wanted):
        link = places.systemd / path
        if not os.path.lexists(link):
            continue
        name = link.name
        if link.is_symlink() and link.readlink() == Path("/dev/null"):
            command = " ".join(("systemctl", *places.manager, "unmask", name))
            yield Conflict(str(link), "masked", f"run '{command}'", command)
        elif link.is_symlink():
            yield Conflict(str(link), f"a link to {link.readlink()}, not made by clocks", "move it away")
        else:
            text = "a file that clocks did not make, or a unit edited by hand"
            yield Conflict(str(link), text, "move it away; what is yours belongs into a drop-in of another name")


def _packaged(places: Places, wanted: Iterable[str]) -> Iterator[Conflict]:
    """Units that a package brings: ours of the same name would be read in their place."""
    for folder in places.packaged:
        if not folder.is_dir():
            continue
        brought = {path.name for path in folder.glob("clock*.*") if not path.is_dir()}
        for path in sorted(brought & set(wanted)):
            yield Conflict(str(folder / path), "a package's unit, which ours would take the place of", "rename the job")


def edited(folder: Path, now: UnitSet) -> Iterator[Conflict]:
    """What differs now from the set's own sums; a set is never changed after it was made."""
    if now.name == folder.name:
        return
    try:
        made = set((folder / SUMS).read_text().splitlines())
    except FileNotFoundError:
        made = set()
    for path in sorted({line.partition("  ")[2] for line in made ^ set(now.checksums.splitlines())}):
        instead = f"put your lines into a drop-in (systemctl edit), then move {folder} away and apply again"
        yield Conflict(str(folder / path), "edited by hand", instead)


def _all_active(places: Places, files: UnitSet) -> dict[str, Loaded]:
    """The set's timers and targets, where they and no others are active, and as their files say; else nothing."""
    [manager] = show(places, "UnitPath,UnitsLoadTimestamp")
    loaded_at = instant(manager.get("UnitsLoadTimestamp", ""))
    # What generators write is written while units are loaded, and nothing of it is a clock's.
    folders = [folder for folder in manager["UnitPath"].split() if "/generator" not in folder]
    changes = (change for folder in folders for change in _changes(folder))
    if max(changes, default=inf) > loaded_at - time.clock_getres(COARSE):
        return {}
    active = set(_lines(places, "list-units", "--state=active", *TIMED))
    wanted = {path for path in files if path.endswith((".timer", ".target"))}
    return dict.fromkeys(active, Loaded(active=True)) if active == wanted else {}


def _changes(folder: str) -> Iterator[float]:
    """When the clocks' timers and targets, and what is dropped in beside them, were changed in a folder of units."""
    if not Path(folder).is_dir():
        return
    yield Path(folder).stat().st_ctime
    with os.scandir(folder) as entries:
        for entry in entries:
            if folder.endswith(".d") or entry.name.startswith("clock") or entry.name in {"timer.d", "target.d"}:
                if entry.is_dir():
                    yield from _changes(entry.path)
                else:
                    yield entry.stat().st_ctime if Path(entry.path).exists() else inf


def _loaded(places: Places) -> dict[str, Loaded]:
    return {
        unit["Id"]: Loaded(
            active=unit["ActiveState"] in {"active", "activating"},
            outdated=unit["NeedDaemonReload"] == "yes",
            started_before=bool(unit["InactiveExitTimestamp"]),
            next_run=instant(unit.get("NextElapseUSecRealtime", "")),
            without_file=unit["LoadState"] == "not-found" or not Path(unit["FragmentPath"]).exists(),
        )
        for unit in show(places, SHOWN, *TIMED)
    }


def stopped_timers(places: Places) -> dict[str, float]:
    """The clocks' timers that aren't started: since when, in seconds since the epoch; 0 for since the boot."""
    names = list(_lines(places, "list-units", "--state=inactive", "clock-*.timer"))
    shown = show(places, "Id,InactiveEnterTimestamp", *names) if names else []
    return {unit["Id"]: instant(unit["InactiveEnterTimestamp"]) for unit in shown}


def failed_units(places: Places) -> frozenset[str]:
    """The units of clocks that systemd calls failed."""
    return frozenset(_lines(places, "list-units", "--state=failed", "clock-*"))


def orphaned_stamps(places: Places) -> list[str]:
    """The stamps of clocks' timers that neither a kept set has nor anybody else's unit."""
    known = {path.name for path in places.sets.glob("*/*.timer")} | set(_packaged_names(places))
    stamps = places.stamps.glob("stamp-clock-*.timer")
    return sorted(str(stamp) for stamp in stamps if stamp.name.removeprefix("stamp-") not in known)


def _packaged_names(places: Places) -> Iterator[str]:
    for folder in (places.systemd, *places.packaged):
        yield from (path.name for path in folder.glob("clock-*.timer"))


def show(places: Places, properties: str, *units: str) -> list[dict[str, str]]:
    """Properties of units, a dictionary for each; a pattern matches what is loaded."""
    # Without --all a pattern would match none of the timers that a killed apply had stopped.
    printed = _systemctl(places, "show", "--all", "--timestamp=us+utc", f"--property={properties}", "--", *units)
    return [
        dict(line.partition("=")[::2] for line in block.splitlines())
        for block in printed.split("\n\n")
        if block.strip()
    ]


def instant(shown: str) -> float:
    """An instant as systemctl shows it in UTC, in seconds since the epoch; 0 for none."""
    if not shown:
        return 0
    _, _, rest = shown.partition(" ")
    form = "%Y-%m-%d %H:%M:%S.%f %Z" if "." in rest else "%Y-%m-%d %H:%M:%S %Z"
    return datetime.strptime(rest, form).replace(tzinfo=UTC).timestamp()


def _lines(places: Places, verb: str, *arguments: str) -> Iterator[str]:
    """The first word of each line that systemctl prints."""
    for line in _systemctl(places, verb, "--plain", "--no-legend", "--no-pager", *arguments).splitlines():
        yield line.split()[0]


def _systemctl(places: Places, *arguments: str) -> str:
    done = subprocess.run(
        ["systemctl", *places.manager, *arguments],
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemdError(f"systemctl {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
