"""Run a command once inside the sandbox of one of the current set's own services, and return what it said.

The command has the service's user, its credentials, and the addresses that it can reach. It runs in a transient service
with the directives of the other, which isn't started.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from scheduled_tasks.deploy import systemd
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.sandboxes.advice import STATUS
from scheduled_tasks.deploy.systemd import SystemdError
from scheduled_tasks.render.escape import command_line, quote_assignment
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_file import section_text
from scheduled_tasks.render.unit_set import UnitSet

UNIT = "scheduled-tasks-inside"
MAX_SECONDS = 180  # a busy machine takes a while to import a project's packages
# What the service does and when, and its start requests; not what it can reach.
_OWN = re.compile("Type|NotifyAccess|Exec.*|Restart.*|RuntimeMaxSec|Timeout.*|EnvironmentFile|Standard.*|Log.*|X-.*")


@dataclass(frozen=True)
class Done:
    """How the command ended.

    Attributes:
        exit_code: its own, or systemd's if it could not be started.
        output: its standard output.
        error: its standard error, or why it could not be started.
    """

    exit_code: int
    output: str
    error: str


def run_inside(
    units: UnitSet, service: str, command: list[str], places: Places, environment: Mapping[str, str]
) -> Done:
    """Run a command with the directives of a service of the current set, and wait until it has ended.

    Raises:
        SystemdError: systemd refused the unit.
    """
    effects = Effects()
    unit = f"{UNIT}-{os.getpid()}.service"
    folder = places.runtime / f"inside-{os.getpid()}"
    effects.folder(folder)
    output, error = folder / "output", folder / "error"
    own = {
        "Type": "oneshot",
        "ExecStart": command_line(*command),
        "TimeoutStartSec": str(MAX_SECONDS),
        "StandardOutput": f"file:{output}",
        "StandardError": f"file:{error}",
    }
    lines = chain.from_iterable(units.file(path).section("Service") for path in (service, *units.drop_ins(service)))
    variables = [("Environment", quote_assignment(f"{name}={value}")) for name, value in environment.items()]
    directives = [(line.name, line.value) for line in lines if not _OWN.fullmatch(line.name)]
    text = section_text("Unit", [("Description", f"A command in the sandbox of {service}")])
    try:
        effects.write(places.transient / unit, text + section_text("Service", [*directives, *variables, *own.items()]))
        with suppress(SystemdError):  # the state says whether it failed
            effects.systemctl("start", [unit])
        [shown] = systemd.show("Id,Result,ExecMainStatus", unit)
        if shown["Result"] != "success":
            effects.systemctl("reset-failed", [unit])
        code = int(shown["ExecMainStatus"] or 0) or int(shown["Result"] != "success")
        said = _read(error) or STATUS.get(shown["ExecMainStatus"]) or ("" if code == 0 else shown["Result"])
        return Done(code, _read(output), said)
    finally:
        effects.remove(places.transient / unit)
        effects.remove_folder(folder)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except FileNotFoundError:
        return ""
