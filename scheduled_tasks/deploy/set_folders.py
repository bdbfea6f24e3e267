"""The folders of sets on a machine: which were in force and when, and which are kept to go back to. Reads only.

A set is stamped with the time at which it came into force when it goes out of it; until then the time of the link
`current` says so. So a set of an apply that was killed before its flip has no time, and is nothing to go back to.
"""

from __future__ import annotations

from pathlib import Path

from scheduled_tasks.render.names import Places
from scheduled_tasks.render.release import deployed_by

KEPT_SETS = 5
NEVER = 0.0  # the time of a set that was never in force


def sets(places: Places) -> list[Path]:
    """The sets that were in force once: the one that is now, then the others, the last applied first."""
    in_force = places.current.resolve()
    found = [folder for folder in _folders(places) if folder == in_force or folder.stat().st_mtime != NEVER]
    return sorted(found, key=lambda folder: (folder != in_force, -applied_at(folder, places)))


def applied_at(folder: Path, places: Places) -> float:
    """When a set came into force, the last time, in seconds since the epoch."""
    if places.current.is_symlink() and folder == places.current.resolve():
        return places.current.lstat().st_mtime
    return folder.stat().st_mtime


def superfluous(places: Places) -> list[Path]:
    """The sets that are none to go back to: never in force, or neither one of the last nor a release's last."""
    kept = sets(places)
    releases: set[Path] = set()
    old = []
    for number, folder in enumerate(kept):
        found = deployed_by(folder)
        is_first = found is not None and found.release not in releases and _exists(found.release, places)
        if found is not None:
            releases.add(found.release)
        if number >= KEPT_SETS and not is_first:
            old.append(folder)
    return [*old, *(folder for folder in _folders(places) if folder not in kept)]


def _exists(release: Path, places: Places) -> bool:
    return (places.root / str(release).lstrip("/")).is_dir()


def _folders(places: Places) -> list[Path]:
    if not places.sets.is_dir():
        return []
    return [path for path in places.sets.iterdir() if path.is_dir() and not path.is_symlink() and path.name[0] != "."]
