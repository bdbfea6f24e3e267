"""Releases on a machine: the links that follow the set in force, and what may be forgotten.

What a set runs, `deployment` reads from it. Here are the acts: people's links are brought to it, and releases that no
kept set runs any more, nor a running job, are taken away.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.set_folders import sets
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.release import deployed, deployed_by


@dataclass(frozen=True)
class Forgotten:
    """What was taken away, or would be: sets, releases, files (configurations, credentials, stamps); their names."""

    sets: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether it was anything."""
        return bool(self.sets or self.releases or self.files)


def prepare(files: Mapping[str, str], places: Places, effects: Effects | None = None) -> None:
    """Has the place there that services see their release at, before the first of them is started."""
    found = deployed(files)
    if found and not os.path.lexists(_inside(places, found.seen_as)):
        (effects or Effects()).link(_inside(places, found.seen_as), _relative(found.release, found.seen_as))


def follow(places: Places, effects: Effects | None = None) -> tuple[str, ...]:
    """Has the links that people use lead to what the set in force runs; returns those that did not."""
    found = deployed_by(places.current)
    if found is None:
        return ()
    effects = effects or Effects()
    wanted = {
        found.seen_as: _relative(found.release, found.seen_as),
        found.configuration.with_name("config.toml"): found.configuration.name,
    }
    if credentials := _values(_inside(places, found.configuration)).get("credentials_folder"):
        wanted[Path(credentials).with_name("current")] = Path(credentials).name
    moved = []
    for path, target in wanted.items():
        link = _inside(places, path)
        if target != path.name and not (link.is_symlink() and str(link.readlink()) == target):
            effects.link(link, target)
            moved.append(str(path))
    return tuple(moved)


def forget(places: Places, keep: int, *, act: bool = True, effects: Effects | None = None) -> Forgotten:
    """Takes away old releases, with the sets that would go back to them and what only those need.

    Args:
        places: where units live.
        keep: so many releases are kept, the one in force among them. One that a running job was started from stays.
        act: whether it is done, or only found out.
        effects: through which the machine is changed.
    """
    in_force = deployed_by(places.current)
    if in_force is None:
        return Forgotten()
    effects = effects or Effects()
    kept: list[Path] = []
    kept_sets: list[Path] = []
    old_sets: list[Path] = []
    for folder in sets(places):  # the one in force first, then the last applied
        found = deployed_by(folder)
        if found and found.release not in kept and len(kept) < keep:
            kept.append(found.release)
        (kept_sets if found and found.release in kept else old_sets).append(folder)
    folders = sorted(path for path in _inside(places, in_force.release.parent).iterdir() if path.is_dir())
    used = {path.name for path in kept} | set(_used(_names(folders)))
    releases = [path for path in folders if path.name not in used]
    configurations = {found.configuration.name for folder in kept_sets if (found := deployed_by(folder))}
    # A job that comes back later would else be held for one that has missed all its runs since.
    gone = {path.name for folder in old_sets for path in folder.glob("*.timer")}
    gone -= {path.name for folder in kept_sets for path in folder.glob("*.timer")}
    stamps = [path for timer in sorted(gone) if (path := places.stamps / f"stamp-{timer}").exists()]
    files = [*_old_files(_inside(places, in_force.configuration.parent), configurations), *stamps]
    if act:
        for folder in old_sets:  # before all else: none of them ever names what is gone
            effects.remove_folder(folder)
        for path in (*files, *releases):
            if path.is_dir():
                effects.remove_folder(path)
            else:
                effects.remove(path)
    return Forgotten(_names(old_sets), _names(releases), _names(files))


def _old_files(folder: Path, configurations: Iterable[str]) -> Iterator[Path]:
    """Configurations that no kept set has, and credentials that no kept configuration names."""
    wanted = {"current"}  # a link for people
    for name in configurations:
        values = _values(folder / name)
        if own := values.get("credentials_folder"):
            wanted.add(Path(own).name)
        else:
            wanted |= {
                *values.get("credentials", []),
                *(f"{each}.cred" for each in values.get("encrypted_credentials", [])),
            }
    for path in sorted(folder.glob("config-*.toml")):
        if path.name not in configurations:
            yield path
    if (folder / "credentials").is_dir():
        yield from (path for path in sorted((folder / "credentials").iterdir()) if path.name not in wanted)


def _values(configuration: Path) -> dict[str, Any]:
    """What a configuration says; nothing where it is gone."""
    try:
        return tomllib.loads(configuration.read_text())
    except FileNotFoundError:
        return {}


def _used(releases: Iterable[str]) -> Iterator[str]:
    """The releases that processes were started from: their interpreter's path, or what is mounted for a service."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            told = (process / "cmdline").read_bytes() + (process / "mountinfo").read_bytes()
            for name in releases:
                if re.search(rb"/releases/" + re.escape(name.encode()) + rb"[/\s\0]", told):
                    yield name


def _relative(target: Path, link: Path) -> str:
    return os.path.relpath(target, link.parent)


def _inside(places: Places, path: Path) -> Path:
    return places.root / str(path).lstrip("/")


def _names(paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(path.name for path in paths)
