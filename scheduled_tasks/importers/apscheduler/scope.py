"""The state while a clock file is read: what names are bound to, what is uncertain, what was found so far.

The module, each call of a function and each comprehension has a `Scope` of its own. All scopes of a file share its
`Reading`, which collects what is found.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks.importers.apscheduler.model import Instance, LocalFunction, Scheduler, Value
from scheduled_tasks.importers.apscheduler.source import ClockSource

if TYPE_CHECKING:
    from scheduled_tasks.importers.apscheduler.own_modules import OwnModules

Ending = Enum("Ending", ["BREAK", "CONTINUE", "RETURN", "EXIT"])


class Ended(Exception):  # noqa: N818 - not an error
    """A block ends before its last statement: `break`, `continue`, `return`, or the program exits."""

    def __init__(self, how: Ending) -> None:
        super().__init__(how)
        self.how = how


@dataclass(frozen=True)
class Condition:
    """Why a statement might not run: `when` completes "it is added …", `on` is what that depends on."""

    when: str
    on: str


@dataclass(frozen=True)
class Call:
    """A call with its parts evaluated; `owner` is the object whose method is called, None for another function."""

    node: ast.Call
    owner: Value
    function: Value
    args: list[Value]
    kwargs: dict[str, Value]

    @property
    def method(self) -> str:
        """The name of the method that is called; "" for another function."""
        return self.node.func.attr if isinstance(self.node.func, ast.Attribute) else ""


@dataclass
class Reading:
    """What was found in one file so far.

    Attributes:
        source: the result.
        make_call: gives the result of a call. Expressions contain calls and calls run statements, so that expressions
            get it here instead of importing it.
        star_imports: the modules that aren't here and of which everything is imported.
        path: the file.
        own: the user's own modules beside it.
        is_clock: whether this is the file to import: jobs that a module beside it adds are its own.
        overridden: attributes of imported modules that the file sets, by their dotted names.
        reached: line and column of the calls that add a job and were reached.
        foreign: schedulers that the file doesn't make, by how it writes them.
        django: methods that Django calls, each with its object.
        entered: functions that were read as called.
    """

    source: ClockSource
    make_call: Callable[[Call, Scope], Value]
    path: Path
    own: OwnModules
    is_clock: bool
    star_imports: list[str] = field(default_factory=list)
    overridden: dict[str, Value] = field(default_factory=dict)
    reached: set[tuple[int, int]] = field(default_factory=set)
    foreign: dict[str, Scheduler] = field(default_factory=dict)
    django: list[tuple[LocalFunction, Instance]] = field(default_factory=list)
    entered: set[LocalFunction] = field(default_factory=set)


@dataclass
class Scope:
    """What is known at one point of the file.

    Attributes:
        reading: what was found in the whole file.
        names: what each name is bound to.
        depth: how many function calls were entered; 0 in the module.
        undecided: why it is uncertain that this statement runs.
        doubt: the condition for statements after a possible early end.
        uncalled: the function that the file doesn't call and that is entered as if it were called.
        loop_names: the names that the loops around this statement rebind.
        returned: what the function returns, in the order of its statements, each with what decides whether it does.
        changed_globals: what the function, and those that it called, set by `global`.
    """

    reading: Reading
    names: dict[str, Value]
    depth: int = 0
    undecided: Condition | None = None
    doubt: str = ""
    uncalled: str = ""
    loop_names: frozenset[str] = frozenset()
    returned: list[tuple[Value, str]] = field(default_factory=list)
    changed_globals: dict[str, Value] = field(default_factory=dict)

    def inner(self, **changes: Any) -> Scope:
        """A scope inside this one; names bound in it stay unbound here."""
        return replace(self, names=dict(self.names), **changes)
