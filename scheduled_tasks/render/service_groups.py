"""Group services that differ only in their arguments and origin: a verdict on one holds for its group. Pure.

A thousand jobs make a dozen groups.
"""

from __future__ import annotations

import re

from scheduled_tasks.render.unit_file import Directive
from scheduled_tasks.render.unit_set import UnitSet

_JOB_SPECIFIC = {"Description", "SourcePath", "Documentation", "Slice", "Environment"}
_PROGRAM = re.compile(r'[-@:+!]*"?(\S+)')


def group_services(units: UnitSet) -> list[list[str]]:
    """Group the services of a set that have the same directives and run the same programs."""
    groups: dict[tuple[tuple[Directive, ...], tuple[str, ...]], list[str]] = {}
    for service in units.services:
        directives = [directive for file in units.files_of(service) for directive in file.directives]
        shared = (line for line in directives if line.name not in _JOB_SPECIFIC and not line.name.startswith("Exec"))
        commands = (line.value for line in directives if line.name.startswith("Exec"))
        programs = tuple(match[1] for command in commands if (match := _PROGRAM.match(command)))
        groups.setdefault((tuple(shared), programs), []).append(service)
    return list(groups.values())
