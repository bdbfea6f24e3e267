"""Judge a set before anything is touched: what systemd understands of it, and how exposed its services are.

An apply remembers the set that it switched to, until the next boot. Of the next one only the jobs with other files are
read again, unless something else changed that systemd's verdict depends on: systemd, this program, a drop-in.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from scheduled_tasks.deploy import systemd
from scheduled_tasks.deploy.analyze import NOTHING, verify
from scheduled_tasks.deploy.security import gate
from scheduled_tasks.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from scheduled_tasks.deploy.effects import Effects
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.render.unit_set import UnitSet

Circumstances = dict[str, Any]  # values of JSON
KINDS = ("service", "timer", "target", "slice")


def judge(units: UnitSet, places: Places, current: UnitSet) -> Circumstances:
    """Let systemd verify a set and measure the exposure of its services, before anything is touched.

    For an image, what this machine lacks the tools for is left out. A user's own systemd can't apply all of the
    hardening, so the exposure isn't measured.

    Args:
        units: the set.
        places: where it is to be applied.
        current: the current set, unchanged since it was made.

    Returns:
        In which circumstances the set was found sound, for `remember`.

    Raises:
        UnsoundUnitError: systemd finds a unit faulty.
        ExposedUnitError: a service is more exposed than its clock file allows by name.
    """
    circumstances = _circumstances(places) if places.is_running else {}
    try:
        verify(units, places, current if _is_sound(current, circumstances, places) else NOTHING)
        if not places.home:
            gate(units)
    except ServiceUnavailableError:
        if places.is_running:
            raise
    return circumstances


def remember(units: UnitSet, circumstances: Circumstances, places: Places, effects: Effects) -> None:
    """Remember that a set was found sound in some circumstances, as `judge` returned them."""
    effects.folder(places.runtime)
    effects.replace(places.sound_set, json.dumps({"set": units.name, **circumstances}))


def _is_sound(units: UnitSet, circumstances: Circumstances, places: Places) -> bool:
    """Whether a set was found sound in these circumstances."""
    if not places.is_running:
        return False
    with suppress(OSError, ValueError):
        return bool(json.loads(places.sound_set.read_text()) == {"set": units.name, **circumstances})
    return False


def _circumstances(places: Places) -> Circumstances:
    """What a verdict on the jobs of a set depends on."""
    return {
        "systemd": systemd.run("--version"),
        "release": sys.prefix,
        "drop_ins": sorted(_drop_ins(places)),
    }


def _drop_ins(places: Places) -> Iterator[list[str | int]]:
    """The drop-ins of this machine that its jobs inherit and that are no set's, with the times of their changes."""
    ours = f"{places.link_target('').parent}/"
    for drop_in in chain.from_iterable(
        folder.glob("*.conf") for folder in _folders_of_drop_ins(places.systemd, places.transient, *places.packaged)
    ):
        with suppress(OSError):  # a dangling link
            if not (drop_in.is_symlink() and str(drop_in.readlink()).startswith(ours)):
                status = drop_in.stat()
                yield [str(drop_in), status.st_mtime_ns, status.st_size]


def _folders_of_drop_ins(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        with suppress(FileNotFoundError):
            for name in os.listdir(folder):  # noqa: PTH208 - ten times as fast as a glob, for thousands of units
                stem, suffix = os.path.splitext(name)  # noqa: PTH122 - as above
                if suffix == ".d" and (stem.startswith("clock") or stem in KINDS):
                    yield folder / name
