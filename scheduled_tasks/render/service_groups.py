"""Group services that differ only in their arguments and origin: a verdict on one holds for its group. Pure.

A thousand jobs make a dozen groups.
"""

from __future__ import annotations

import re

from scheduled_tasks.render.unit_file import Directive, UnitFile
from scheduled_tasks.render.unit_set import UnitSet

Shared = tuple[tuple[Directive, ...], tuple[str, ...]]  # directives, and the programs that are run

_JOB_SPECIFIC = {"Description", "SourcePath", "Documentation", "Slice", "Environment"}
_PROGRAM = re.compile(r'[-@:+!]*"?(\S+)')
_NOTHING: Shared = ((), ())


def group_services(units: UnitSet) -> list[list[str]]:
    """Group the services of a set that have the same directives and run the same programs."""
    numbers = {_NOTHING: 0}
    read: dict[UnitFile, int] = {}  # nearly all directives are in files that all services inherit

    def number(file: UnitFile) -> int:
        if file not in read:
            read[file] = numbers.setdefault(_shared(file), len(numbers))
        return read[file]

    groups: dict[tuple[int, ...], list[str]] = {}
    for service in units.services:
        files = map(number, units.files_of(service))
        groups.setdefault(tuple(filter(None, files)), []).append(service)
    return list(groups.values())


def _shared(file: UnitFile) -> Shared:
    shared = (line for line in file.directives if line.name not in _JOB_SPECIFIC and not line.name.startswith("Exec"))
    commands = (line.value for line in file.directives if line.name.startswith("Exec"))
    return tuple(shared), tuple(match[1] for command in commands if (match := _PROGRAM.match(command)))
