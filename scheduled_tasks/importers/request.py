"""What both importers share: the request, the result, and valid unique names."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
from keyword import iskeyword
from pathlib import Path

from scheduled_tasks.conversion_report import Report


@dataclass(frozen=True)
class ImportRequest:
    """What to import for.

    Attributes:
        timezone: the zone of the hosts that the jobs ran on; "" if it isn't given.
        base: what paths in the report are relative to, and where modules are looked for.
        now: what dates in the report count from.
        domains: of clock files: the package that the tasks are, or will be, in.
        execute: of clock files: whether they may be run.
        calls: of clock files that are run: the functions to call.
        assume_defaults: of clock files: whether the defaults of environment variables stand in for them.
        is_zone_given: whether the zone of the hosts was named for this import, not taken from the configuration.
        form: of crontabs: their format; "" if the file's path decides it.
    """

    timezone: str
    base: Path
    now: datetime
    domains: str = ""
    execute: bool = False
    calls: tuple[str, ...] = ()
    assume_defaults: bool = False
    is_zone_given: bool = True
    form: str = ""


@dataclass(frozen=True)
class ImportResult:
    """Texts by path, and the report.

    Attributes:
        problems: what a person has to do before the import is what was meant: a run that added no job.
        lacking: the modules that the files import and this environment lacks.
    """

    files: dict[str, str]
    report: Report
    problems: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def identifier(text: str) -> str:
    """A name for a clock or a job, of a-z, 0-9 and _; "" if nothing of the text is left."""
    return re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")


def module_name(text: str, otherwise: str) -> str:
    """A name for a clock, whose tasks are in a module of that name: an identifier of Python."""
    name = identifier(text) or otherwise
    return f"{otherwise}_{name}" if name[0].isdigit() or iskeyword(name) else name


def unique(name: str, taken: Container[str]) -> str:
    """A name that isn't taken yet: the name itself, or with the first free number from 2 on."""
    candidates = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(candidate for candidate in candidates if candidate not in taken)
