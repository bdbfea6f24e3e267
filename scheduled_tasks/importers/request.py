"""What both importers share: the request, the result, and valid unique names."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
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
        form: of crontabs: their format; "" if the file's path decides it.
    """

    timezone: str
    base: Path
    now: datetime
    domains: str = ""
    execute: bool = False
    form: str = ""


@dataclass(frozen=True)
class ImportResult:
    """Texts by path, and the report."""

    files: dict[str, str]
    report: Report


def identifier(text: str) -> str:
    """A name for a clock or a job, of a-z, 0-9 and _; "" if nothing of the text is left."""
    return re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")


def unique(name: str, taken: Container[str]) -> str:
    """A name that isn't taken yet: the name itself, or with the first free number from 2 on."""
    candidates = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(candidate for candidate in candidates if candidate not in taken)
