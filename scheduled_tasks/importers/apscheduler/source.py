"""A clock file as it was read: its tree, its schedulers with their jobs, its functions and names."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from scheduled_tasks.importers.apscheduler.model import LocalFunction, Scheduler, Value


@dataclass(frozen=True)
class Aside:
    """Something in the file that is not a job and that the report mentions."""

    line: int
    source: str
    text: str


@dataclass(eq=False)
class ClockSource:
    """A parsed clock file.

    Attributes:
        applied: the lines of calls that add or change jobs or values.
        stars: the modules of names that the file gets by `from module import *`.
        unread_stars: those of these modules that aren't here.
        host_zone: what the file sets the variable TZ to.
    """

    tree: ast.Module
    text: str
    schedulers: list[Scheduler] = field(default_factory=list)
    asides: list[Aside] = field(default_factory=list)
    functions: dict[str, LocalFunction] = field(default_factory=dict)
    names: dict[str, Value] = field(default_factory=dict)
    applied: set[int] = field(default_factory=set)
    stars: dict[str, str] = field(default_factory=dict)
    unread_stars: list[str] = field(default_factory=list)
    host_zone: Value = None

    def line(self, number: int) -> str:
        """One line of the file, stripped."""
        return self.text.splitlines()[number - 1].strip()
