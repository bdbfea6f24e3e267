"""Judge a set before anything is touched: what systemd understands of it, and how exposed its services are.

An apply remembers the set that it switched to, until the next boot. Of the next one only the jobs with other files are
read again, unless something else changed that systemd's verdict depends on: systemd, this program, a drop-in.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from scheduled_tasks.deploy import systemd
from scheduled_tasks.deploy.analyze import NOTHING, verify
from scheduled_tasks.deploy.security import gate
from scheduled_tasks.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from scheduled_tasks.deploy.effects import Effects
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.render.unit_set import UnitSet

KINDS = ("service", "timer", "target", "slice")


def judge(units: UnitSet, places: Places, current: UnitSet) -> None:
    """Let systemd verify a set and measure the exposure of its services, before anything is touched.

    For an image, what this machine lacks the tools for is left out. A user's own systemd can't apply all of the
    hardening, so the exposure isn't measured.

    Args:
        units: the set.
        places: where it is to be applied.
        current: the current set, unchanged since it was made.

    Raises:
        UnsoundUnitError: systemd finds a unit faulty.
        ExposedUnitError: a service is more exposed than its clock file allows by name.
    """
    try:
        with ThreadPoolExecutor() as beside:
            exposure = None if places.home else beside.submit(gate, units)
            verify(units, places, current if _is_sound(current, places) else NOTHING)
        if exposure:
            exposure.result()
    except ServiceUnavailableError:
        if places.is_running:
            raise


def remember(units: UnitSet, places: Places, effects: Effects) -> None:
    """Remember that a set was found sound."""
    effects.folder(places.runtime)
    effects.replace(places.sound_set, json.dumps(_circumstances(units, places)))


def _is_sound(units: UnitSet, places: Places) -> bool:
    """Whether a set was found sound in the present circumstances."""
    if not places.is_running:
        return False
    with suppress(OSError, ValueError):
        return bool(json.loads(places.sound_set.read_text()) == _circumstances(units, places))
    return False


def _circumstances(units: UnitSet, places: Places) -> dict[str, Any]:
    """What a verdict on the jobs of a set depends on."""
    return {
        "set": units.name,
        "systemd": systemd.run("--version"),
        "release": sys.prefix,
        "drop_ins": sorted(_drop_ins(places)),
    }


def _drop_ins(places: Places) -> Iterator[list[str | int]]:
    """The drop-ins of this machine that its jobs inherit and that are no set's, with the times of their changes."""
    folders = (places.systemd, places.transient, *places.packaged)
    patterns = ("clock*.d", *(f"{kind}.d" for kind in KINDS))
    ours = f"{places.link_target('').parent}/"
    for drop_in in chain.from_iterable(folder.glob(f"{name}/*.conf") for folder in folders for name in patterns):
        with suppress(OSError):  # a dangling link
            if not (drop_in.is_symlink() and str(drop_in.readlink()).startswith(ours)):
                status = drop_in.stat()
                yield [str(drop_in), status.st_mtime_ns, status.st_size]
