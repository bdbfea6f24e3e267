"""Run a command once inside the sandbox of one of the current set's own services, and return what it said.

The command has the service's user, its credentials, and the addresses that it can reach. It runs in a transient service
with the directives of the other, which isn't started.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.sandboxes import transient
from scheduled_tasks.deploy.sandboxes.advice import STATUS
from scheduled_tasks.deploy.sandboxes.transient import Service
from scheduled_tasks.render.escape import command_line, quote_assignment
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import UnitSet

# What the service does and when, its start requests, and its folder, which would change hands; not what it can reach.
_OWN = re.compile(
    "Type|NotifyAccess|Exec.*|Restart.*|RuntimeMaxSec|RuntimeDirectory.*|Timeout.*|EnvironmentFile|Standard.*|Log.*|X-.*"
)


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
    lines = chain.from_iterable(units.file(path).section("Service") for path in (service, *units.drop_ins(service)))
    variables = [("Environment", quote_assignment(f"{name}={value}")) for name, value in environment.items()]
    directives = [(line.name, line.value) for line in lines if not _OWN.fullmatch(line.name)]
    own = Service(f"A command in the sandbox of {service}", command_line(*command), [*directives, *variables])
    ended = transient.run("inside", {service: own}, places, Effects())[service]
    code = ended.status or int(ended.result != "success")
    said = ended.error or STATUS.get(ended.status) or ("" if code == 0 else ended.result)
    return Done(code, ended.output, said)
