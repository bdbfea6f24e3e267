"""Services that differ only in what they do and where they come from: a judgement of one holds for its group. Pure.

A thousand jobs make a dozen groups.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from scheduled_tasks.render.unit_file import Directive
from scheduled_tasks.render.unit_set import UnitSet

_OF_THE_JOB = {"Description", "SourcePath", "Documentation", "Slice", "Environment"}
_PROGRAM = re.compile(r'[-@:+!]*"?(\S+)')


@dataclass(frozen=True)
class ServiceGroup:
    """Services with the same directives that run the same programs.

    Attributes:
        services: in the order of the set.
        directives: what they have in common.
    """

    services: tuple[str, ...]
    directives: tuple[Directive, ...]


def group_services(units: UnitSet) -> list[ServiceGroup]:
    """The services of a set in groups."""
    groups: dict[tuple[tuple[Directive, ...], tuple[str, ...]], list[str]] = {}
    for service in units.services:
        directives = [directive for file in units.files_of(service) for directive in file.directives]
        shared = (line for line in directives if line.name not in _OF_THE_JOB and not line.name.startswith("Exec"))
        commands = (line.value for line in directives if line.name.startswith("Exec"))
        programs = tuple(match[1] for command in commands if (match := _PROGRAM.match(command)))
        groups.setdefault((tuple(shared), programs), []).append(service)
    return [ServiceGroup(tuple(services), directives) for (directives, _), services in groups.items()]
