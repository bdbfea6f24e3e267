"""What is known about the values in a clock file that has been read, not run.

A value is a plain Python value where it could be decided, else one of these. `UnknownValue` says why it couldn't, which
the report repeats; the others stand for what only exists in a running process.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

Value = Any  # a plain Python value, or one of the classes below


@dataclass(frozen=True)
class UnknownValue:
    """Nothing that reading decides: `text` is how it is written, `why` completes "it depends on …"."""

    text: str
    why: str


@dataclass(frozen=True)
class Reference:
    """Something imported, by its dotted name."""

    dotted: str


@dataclass(frozen=True)
class LocalFunction:
    """A function of the file itself; `node` is None where a run of the file named it and reading didn't find it."""

    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    nested: bool = False


@dataclass(frozen=True)
class Application:
    """The web application, however it is made."""

    text: str


@dataclass(eq=False)
class LocalClass:
    """A class of the file itself, with what it sets in its body.

    `fields` are the names that an object of it is made with, where it is a dataclass or a named tuple.
    """

    node: ast.ClassDef
    bases: list[Value] = field(default_factory=list)
    attributes: dict[str, Value] = field(default_factory=dict)
    fields: tuple[str, ...] = ()

    def method(self, name: str) -> LocalFunction | None:
        """One of its methods; not a function that a unit could name."""
        for each in self.node.body:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name == name:
                return LocalFunction(name, each, nested=True)
        inherited = (base.method(name) for base in self.bases if isinstance(base, LocalClass))
        return next(filter(None, inherited), None)

    def known(self) -> dict[str, Value]:
        """What it and the classes that it inherits from set in their bodies."""
        found: dict[str, Value] = {}
        for base in reversed(self.bases):
            if isinstance(base, LocalClass):
                found |= base.known()
        return found | self.attributes


@dataclass(eq=False)
class Instance:
    """An object of a class of the file, with the attributes that its methods have set."""

    kind: LocalClass
    attributes: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A method of such an object."""

    instance: Instance
    function: LocalFunction


@dataclass(frozen=True)
class Adder:
    """A scheduler's `add_job`, kept under a name of the file's own."""

    scheduler: Scheduler
    method: str


@dataclass(frozen=True)
class JobHandle:
    """What `add_job` gives: the job, which the file may change before the scheduler starts."""

    call: JobCall
    scheduler: Scheduler


@dataclass(frozen=True)
class Partial:
    """`functools.partial(function, …)`."""

    function: Value
    args: tuple[Value, ...]
    kwargs: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class CallResult:
    """What a call gives, where the call is not made: `task()` passed for `task`."""

    function: Value
    args: tuple[Value, ...]
    text: str


@dataclass(frozen=True)
class TriggerObject:
    """A trigger that was made in the file: 'cron', 'interval', 'date', 'or', 'and'.

    `fields` are its arguments by name, `parts` those of a combined one; `crontab` is what from_crontab was given.
    """

    kind: str
    fields: dict[str, Value] = field(default_factory=dict)
    parts: tuple[Value, ...] = ()
    crontab: str = ""


@dataclass
class Scheduler:
    """A scheduler that the file makes, or that it imports (`made` is False)."""

    kind: str
    line: int
    made: bool = True
    name: str = ""
    settings: dict[str, Value] = field(default_factory=dict)
    calls: list[JobCall] = field(default_factory=list)


@dataclass
class JobCall:
    """One job as the file adds it.

    Attributes:
        line, source: where it stands, and its first line.
        arguments: by APScheduler's names; trigger fields are among them.
        above: decorators that stand above `@scheduled_job`, and so had no part in the job.
        undecided: why it isn't sure that the job is added at all.
        problem: what keeps the call from being read.
        refused: what APScheduler said when it was made.
        doubt: why it isn't sure that this is a scheduler's job.
    """

    line: int
    source: str
    arguments: dict[str, Value]
    above: tuple[str, ...] = ()
    undecided: str = ""
    problem: str = ""
    refused: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class Aside:
    """Something of the file that is not a job and that somebody has to know of."""

    line: int
    source: str
    text: str


def is_plain(value: Value) -> bool:
    """Whether a value is known through and through."""
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(each) for key, each in value.items())
    if isinstance(value, list | tuple | set):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | bytes | date | datetime | timedelta)


def why_unknown(value: Value) -> str:
    """Why a value isn't plain: the first reason in it; "" where it is plain."""
    if isinstance(value, UnknownValue):
        return f"{value.text} depends on {value.why}"
    if isinstance(value, dict):
        return next(filter(None, map(why_unknown, value.values())), "")
    if isinstance(value, list | tuple | set):
        return next(filter(None, map(why_unknown, value)), "")
    if is_plain(value):
        return ""
    return f"{written(value)} only exists in a running process"


def written(value: Value) -> str:  # noqa: PLR0911 - a table of cases
    """A value as a person would point at it."""
    if isinstance(value, UnknownValue | Application | CallResult):
        return value.text
    if isinstance(value, Reference):
        return value.dotted
    if isinstance(value, LocalFunction):
        return value.name
    if isinstance(value, Method):
        return f"{value.instance.kind.node.name}.{value.function.name}"
    if isinstance(value, Instance | LocalClass):
        return f"an object of {(value.kind if isinstance(value, Instance) else value).node.name}"
    if isinstance(value, Partial):
        return f"partial({written(value.function)}, …)"
    return repr(value)
