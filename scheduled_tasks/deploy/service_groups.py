"""Which services of a set are alike: what is judged of one holds for all of its shape. Pure.

What comes in: the files of a set. What goes out: its services, by all that their units and drop-ins say but what each
does and where it comes from. A thousand jobs have a dozen shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

_OF_THE_JOB = re.compile(r"^(#|;|$|\[|Description=|SourcePath=|Documentation=|Slice=|Environment=)")
_PROGRAM = re.compile(r'^Exec\w+=[-@:+!]*"?(\S+)')


class Shape(NamedTuple):
    """What services that are alike have in common: their directives, and the programs that they run."""

    directives: tuple[str, ...]
    programs: tuple[str, ...]


def shapes(files: Mapping[str, str]) -> dict[Shape, list[str]]:
    """The services of a set by their shape, in the set's order."""
    folders = folders_of(files)
    alike: dict[Shape, list[str]] = {}
    for unit in files:
        if unit.endswith(".service"):
            alike.setdefault(_shape([unit, *drop_ins(unit, folders)], files), []).append(unit)
    return alike


def _shape(paths: Iterable[str], files: Mapping[str, str]) -> Shape:
    lines = [line for path in paths for line in files[path].splitlines() if not _OF_THE_JOB.match(line)]
    programs = (found[1] for line in lines if (found := _PROGRAM.match(line)))
    return Shape(tuple(line for line in lines if not line.startswith("Exec")), tuple(programs))


def folders_of(files: Iterable[str]) -> dict[str, list[str]]:
    """A set's folders, each with the paths in it."""
    folders: dict[str, list[str]] = {}
    for path in files:
        folder, inside, _ = path.rpartition("/")
        if inside:
            folders.setdefault(folder, []).append(path)
    return folders


def drop_ins(unit: str, folders: Mapping[str, list[str]]) -> list[str]:
    """A service's drop-ins, in the order in which systemd reads them (systemd.unit(5)).

    Args:
        unit: the service.
        folders: see `folders_of`.
    """
    parts = unit.removesuffix(".service").split("-")
    names = [*(f"{'-'.join(parts[:count])}-.service.d" for count in range(1, len(parts))), f"{unit}.d"]
    return sorted((path for name in names for path in folders.get(name, ())), key=lambda path: Path(path).name)
