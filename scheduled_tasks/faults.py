"""Faults in input that a person wrote, as values, so that all faults of a file are shown at once.

Separate from errors.py, which every run imports: a run reads no such input.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from scheduled_tasks.errors import ScheduledTasksError


@dataclass(frozen=True)
class Fault:
    """One fault in the input, and what to write instead.

    `field` is the argument or keyword (empty if the whole call is at fault), `value` its value as written in the file.
    File, line, clock and job are added by the caller that knows them.
    """

    problem: str
    instead: str = ""
    field: str = ""
    value: str = ""
    file: str = ""
    line: int = 0
    clock: str = ""
    job: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file else ""
        who = "job " + "/".join(filter(None, (self.clock, self.job))) + ": " if self.job else ""
        what = f"{self.field}={self.value}: " if self.field and self.value else self.field and f"{self.field}: "
        remedy = f"; {self.instead}" if self.instead else ""
        return f"{place}{who}{what}{self.problem}{remedy}"


class FaultsError(ScheduledTasksError):
    """The input has faults."""

    exit_code = 65

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def what_to_write(name: str, known: Collection[str], what: str) -> str:
    """What to write in place of an unknown name: the nearest known one, otherwise all of `what`."""
    near = get_close_matches(name, known, n=1)
    return f"write {near[0]}" if near else f"{what} are: {', '.join(known) or 'none'}"
