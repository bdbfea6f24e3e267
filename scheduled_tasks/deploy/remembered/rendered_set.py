"""Render the clocks, unless the current set was rendered from the same.

To render a thousand jobs takes longer than all else that an apply without changes does.
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import scheduled_tasks
from scheduled_tasks.clock_data import to_data
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.machine_state import read_set
from scheduled_tasks.render.jobs_manifest import zone_rules
from scheduled_tasks.render.templates import TEMPLATES
from scheduled_tasks.render.units import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduled_tasks.clock import ClockSpec
    from scheduled_tasks.render.host import Host
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.render.unit_set import UnitSet

PACKAGE = Path(scheduled_tasks.__path__[0])


def rendered(clocks: list[ClockSpec], host: Host, places: Places) -> UnitSet:
    """The unit set of some clocks, as `render` makes it; read from the disk if it is the current one.

    Only a set whose files still are those that were rendered, by its name, is taken from there.
    """
    if not places.is_running:
        return render(clocks, host)
    digest = _digest(clocks, host)
    with suppress(OSError, ValueError):
        record = json.loads(places.rendered_set.read_text())
        folder = places.current.resolve(strict=True)
        if record == {"from": digest, "set": folder.name} and (units := read_set(folder)).name == folder.name:
            return units
    units = render(clocks, host)
    with suppress(OSError):  # without the right to write there, the next one renders again
        effects = Effects()
        effects.folder(places.runtime)
        effects.replace(places.rendered_set, json.dumps({"from": digest, "set": units.name}))
    return units


def _digest(clocks: list[ClockSpec], host: Host) -> str:
    """Hash everything that a set depends on: clocks, host, the rules of the time zones, templates and programs."""
    jobs = (job for clock in clocks for job in clock.jobs)
    known = [[to_data(clock) for clock in clocks], repr(host), list(zone_rules(jobs)), list(_programs())]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _programs() -> Iterator[list[str | int]]:
    """What renders: Python, Jinja, and each file of this package, with the time of its change."""
    yield [sys.version]
    jinja = find_spec("jinja2")
    folders = ((PACKAGE, "**/*.py"), *((folder, "*.j2") for folder in TEMPLATES))
    paths = (path for folder, pattern in folders for path in sorted(folder.glob(pattern)))
    for path in (*([Path(jinja.origin)] if jinja and jinja.origin else []), *paths):
        status = path.stat()
        yield [str(path), status.st_mtime_ns, status.st_size]
