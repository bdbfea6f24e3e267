"""The directories of unit sets on a machine: when each was current, and which are kept for a rollback. Reads only.

The modification time of a set's directory is the instant at which it became current; for the current set, that of the
link `current` is. A set whose apply was killed before the switch has the time NEVER: nothing to roll back to.
"""

from __future__ import annotations

from pathlib import Path

from scheduled_tasks.render import names
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import Release, UnitSet

KEPT_SETS = 5
NEVER = 0.0  # the time of a set that was never current


def sets(places: Places) -> list[Path]:
    """The sets that were current once: first the current one, then the others, the last applied first."""
    current = places.current.resolve()
    applied = [folder for folder in _folders(places) if folder == current or folder.stat().st_mtime != NEVER]
    return sorted(applied, key=lambda folder: (folder != current, -applied_at(folder, places)))


def applied_at(folder: Path, places: Places) -> float:
    """When a set last became current, in seconds since the epoch."""
    if places.current.is_symlink() and folder == places.current.resolve():
        return places.current.lstat().st_mtime
    return folder.stat().st_mtime


def release_of(folder: Path) -> Release | None:
    """The release that the set in a directory runs, see `UnitSet.release`."""
    path = folder / names.ALL_SERVICES
    return UnitSet({names.ALL_SERVICES: path.read_text()}).release if path.is_file() else None


def superfluous(places: Places) -> list[Path]:
    """The sets to remove: never current, or neither among the last `KEPT_SETS` nor the last of an installed release."""
    kept = sets(places)
    releases: set[Path] = set()
    old = []
    for number, folder in enumerate(kept):
        release = release_of(folder)
        is_first = release and release.folder not in releases and places.inside(release.folder).is_dir()
        if release:
            releases.add(release.folder)
        if number >= KEPT_SETS and not is_first:
            old.append(folder)
    return [*old, *(folder for folder in _folders(places) if folder not in kept)]


def _folders(places: Places) -> list[Path]:
    return [path for path in places.sets.glob("[!.]*") if path.is_dir() and not path.is_symlink()]
