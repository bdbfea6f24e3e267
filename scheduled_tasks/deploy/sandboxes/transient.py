"""Run services once, of which systemd knows no unit before and after: transient units and what they print, in /run.

What a process leaves there that is killed meanwhile, the next one removes, and each apply and removal does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from scheduled_tasks.deploy import systemd
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.systemd import SystemdError
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_file import section_text

K = TypeVar("K", bound=Hashable)

MAX_SECONDS = 180  # a busy machine can take a minute to import a large project
PREFIX = "scheduled-tasks-"
_UNIT = re.compile(rf"{PREFIX}(?:trial|inside)-(\d+)-\d+\.service")
_FOLDER = re.compile(r"(?:trial|inside)-(\d+)")


@dataclass(frozen=True)
class Service:
    """A service to run once.

    Attributes:
        description: of its unit.
        command: its ExecStart=.
        directives: NAME and value of the other lines of its section, in systemd's order.
    """

    description: str
    command: str
    directives: Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Ended:
    """How a service ended.

    Attributes:
        result: systemd's: `success`, `exit-code`, …
        status: the exit code of its process, or systemd's if it could not be started.
        output, error: what it printed.
    """

    result: str
    status: int
    output: str
    error: str


def run(purpose: str, services: Mapping[K, Service], places: Places, effects: Effects) -> dict[K, Ended]:
    """Run services at once, and wait until all have ended.

    Args:
        purpose: `trial` or `inside`, for their names.
        services: by any key.
        places: of this machine's systemd.
        effects: by which units are written and started.

    Raises:
        SystemdError: systemd doesn't know the units.
    """
    remove_abandoned(places, effects)
    units = {key: f"{PREFIX}{purpose}-{os.getpid()}-{number}.service" for number, key in enumerate(services)}
    with _folder(purpose, units.values(), places, effects) as folder:
        for key, unit in units.items():
            effects.write(places.transient / unit, unit_text(services[key], folder / unit))
        with suppress(SystemdError):  # the state of each says whether it failed
            effects.systemctl("start", list(units.values()))
        shown = {unit["Id"]: unit for unit in systemd.show("Id,Result,ExecMainStatus", *units.values())}
        effects.systemctl("reset-failed", [unit for unit in shown if shown[unit]["Result"] != "success"])
        return {key: _ended(shown[unit], folder / unit) for key, unit in units.items()}


@contextmanager
def _folder(purpose: str, units: Iterable[str], places: Places, effects: Effects) -> Iterator[Path]:
    """A folder for what services print; it and their units are removed at the end of the block."""
    folder = places.runtime / f"{purpose}-{os.getpid()}"
    effects.folder(folder)
    try:
        yield folder
    finally:
        for unit in units:
            effects.remove(places.transient / unit)
        effects.remove_folder(folder)


def unit_text(service: Service, printed: Path) -> str:
    """The text of a service that writes what it prints next to a path."""
    own = {
        "Type": "oneshot",
        "ExecStart": service.command,
        "TimeoutStartSec": str(MAX_SECONDS),
        "StandardOutput": f"file:{printed}.out",
        "StandardError": f"file:{printed}.err",
    }
    return section_text("Unit", [("Description", service.description)]) + section_text(
        "Service", [*service.directives, *own.items()]
    )


def _ended(shown: Mapping[str, str], printed: Path) -> Ended:
    output, error = (_read(printed.with_name(f"{printed.name}.{end}")) for end in ("out", "err"))
    return Ended(shown["Result"], int(shown["ExecMainStatus"] or 0), output, error)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except FileNotFoundError:
        return ""


def remove_abandoned(places: Places, effects: Effects) -> None:
    """End the services whose process was killed, and remove what is left of them."""
    left = {
        path: match[1]
        for folder, pattern in ((places.transient, _UNIT), (places.runtime, _FOLDER))
        if folder.is_dir()
        for path in folder.iterdir()
        if (match := pattern.fullmatch(path.name))
    }
    abandoned = [path for path, process in left.items() if not Path("/proc", process).exists()]
    units = [path.name for path in abandoned if path.suffix == ".service"]
    with suppress(SystemdError):  # not loaded any more
        effects.systemctl("stop", units)
        effects.systemctl("reset-failed", units)
    for path in abandoned:
        effects.remove_folder(path) if path.is_dir() else effects.remove(path)
