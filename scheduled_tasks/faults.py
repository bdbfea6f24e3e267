"""Faults: what is wrong with what a person wrote, as values, so that all of a file's are collected and shown at once.

Apart from errors because a run, which imports those, reads nothing that a person has just written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scheduled_tasks.errors import ScheduledTasksError


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in what a person wrote, and what to write instead.

    `field` is the argument or keyword at fault (empty where the whole call is), `value` what stands there
    as its writer sees it, `problem` a sentence, `instead` what to write. File, line, clock and job are put
    in where they become known.
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
    """What was read has faults."""

    exit_code = 65

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
