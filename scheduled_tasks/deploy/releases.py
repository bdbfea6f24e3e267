"""Releases on a machine: point the links that people use at the current one, and remove those that nothing needs.

`UnitSet.release` says which release a set runs.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.set_folders import release_of, sets
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import UnitSet


@dataclass(frozen=True)
class Pruned:
    """The names of what was removed, or would be: sets, releases, files (configurations, credentials, stamps)."""

    sets: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was removed."""
        return bool(self.sets or self.releases or self.files)


def prepare(units: UnitSet, places: Places, effects: Effects | None = None) -> None:
    """Create the path at which services see their release, before the first of them is started."""
    release = units.release
    if release and not os.path.lexists(places.inside(release.mount)):
        (effects or Effects()).link(places.inside(release.mount), _relative(release.folder, release.mount))


def update_links(places: Places, effects: Effects | None = None) -> tuple[str, ...]:
    """Point the links that people use at what the current set runs; return those that changed."""
    release = release_of(places.current)
    if release is None:
        return ()
    effects = effects or Effects()
    wanted = {
        release.mount: _relative(release.folder, release.mount),
        release.configuration.with_name("config.toml"): release.configuration.name,
    }
    if credentials := _values(places.inside(release.configuration)).get("credentials_folder"):
        wanted[Path(credentials).with_name("current")] = Path(credentials).name
    changed = []
    for path, target in wanted.items():
        link = places.inside(path)
        if target != path.name and not (link.is_symlink() and str(link.readlink()) == target):
            effects.link(link, target)
            changed.append(str(path))
    return tuple(changed)


def prune_releases(places: Places, keep: int, *, act: bool = True, effects: Effects | None = None) -> Pruned:
    """Remove old releases, the sets that would go back to them, and what only those need.

    Args:
        places: where units live.
        keep: how many releases to keep, the current one included. One that a running job was started from stays too.
        act: whether to remove them, or only to list them.
        effects: performs the side effects.
    """
    current = release_of(places.current)
    if current is None:
        return Pruned()
    effects = effects or Effects()
    kept: list[Path] = []
    kept_sets: list[Path] = []
    old_sets: list[Path] = []
    configurations = set()
    for folder in sets(places):  # first the current one, then the last applied
        release = release_of(folder)
        if release and release.folder not in kept and len(kept) < keep:
            kept.append(release.folder)
        if release and release.folder in kept:
            kept_sets.append(folder)
            configurations.add(release.configuration.name)
        else:
            old_sets.append(folder)
    folders = sorted(path for path in places.inside(current.folder.parent).iterdir() if path.is_dir())
    used = {path.name for path in kept} | set(_used_by_processes(_names(folders)))
    releases = [path for path in folders if path.name not in used]
    # With its stamp, a job that comes back later would seem to have missed all runs since.
    timers = {path.name for folder in old_sets for path in folder.glob("*.timer")}
    timers -= {path.name for folder in kept_sets for path in folder.glob("*.timer")}
    stamps = [path for timer in sorted(timers) if (path := places.stamps / f"stamp-{timer}").exists()]
    files = [*_old_files(places.inside(current.configuration.parent), configurations), *stamps]
    if act:
        for path in (*old_sets, *files, *releases):  # sets first, so that none ever names what is gone
            if path.is_dir():
                effects.remove_folder(path)
            else:
                effects.remove(path)
    return Pruned(_names(old_sets), _names(releases), _names(files))


def _old_files(folder: Path, configurations: Iterable[str]) -> Iterator[Path]:
    """Configurations that no kept set has, and credentials that no kept configuration names."""
    wanted = {"current"}  # a link for people
    for configuration in configurations:
        values = _values(folder / configuration)
        if own := values.get("credentials_folder"):
            wanted.add(Path(own).name)
        else:
            encrypted = (f"{name}.cred" for name in values.get("encrypted_credentials", []))
            wanted |= {*values.get("credentials", []), *encrypted}
    yield from (path for path in sorted(folder.glob("config-*.toml")) if path.name not in configurations)
    if (folder / "credentials").is_dir():
        yield from (path for path in sorted((folder / "credentials").iterdir()) if path.name not in wanted)


def _values(configuration: Path) -> dict[str, Any]:
    """The values of a configuration; none if it is gone."""
    try:
        return tomllib.loads(configuration.read_text())
    except FileNotFoundError:
        return {}


def _used_by_processes(releases: Iterable[str]) -> Iterator[str]:
    """The releases that processes were started from, by their interpreter's path or what is mounted for a service."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            paths = (process / "cmdline").read_bytes() + (process / "mountinfo").read_bytes()
            for name in releases:
                if re.search(rb"/releases/" + re.escape(name.encode()) + rb"[/\s\0]", paths):
                    yield name


def _relative(target: Path, link: Path) -> str:
    return os.path.relpath(target, link.parent)


def _names(paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(path.name for path in paths)
