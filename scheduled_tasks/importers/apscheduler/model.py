"""The model of a clock file: the values of its expressions, its schedulers and the jobs that it adds.

A value is a plain Python value if the importer can work it out, otherwise an object of one of these classes.
`UnknownValue` carries the reason, which the report repeats; the others stand for what exists only in a running process.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

Value = Any  # a plain Python value, or one of the classes below
# Bases and decorators of classes that set no attribute of their objects.
HARMLESS_BASES = {
    "object", "ABC", "Enum", "IntEnum", "StrEnum", "NamedTuple", "Protocol", "Generic", "Exception",
    "Cog", "AppConfig", "BaseCommand", "Thread",
}  # fmt: skip
HARMLESS_DECORATORS = {"dataclass", "final", "total_ordering", "unique"}
ONLY_A_RUN = "a value known only at run time"
UNKNOWN = object()  # in place of a value, of which None is one


@dataclass(frozen=True)
class UnknownValue:
    """A value that can't be known without a run: `text` is its code, `why` completes "it depends on …".

    `stand_in` is what it would be if nothing but the file decided: the default of an environment variable.
    """

    text: str
    why: str
    stand_in: Value = field(default=UNKNOWN, compare=False)


@dataclass(frozen=True)
class Reference:
    """Something imported, by its dotted name; `star` is the module if only `from module import *` can have given it."""

    dotted: str
    star: str = field(default="", compare=False)


@dataclass(frozen=True)
class LocalFunction:
    """A function of the file; `node` is None if a run of the file named it and reading didn't find it.

    `around` are the names of the function in which a nested one is defined.
    """

    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    nested: bool = False
    around: dict[str, Value] = field(default_factory=dict, compare=False, repr=False)

    def required(self) -> list[str]:
        """Its parameters that have no default."""
        arguments = self.node.args if self.node else ast.arguments([], [], None, [], [], None, [])
        positional = [parameter.arg for parameter in [*arguments.posonlyargs, *arguments.args]]
        return positional[: len(positional) - len(arguments.defaults)]


@dataclass
class AppConfig:
    """`app.config` of an application that the file makes; `unread` is the call that reading doesn't understand."""

    values: dict[str, Value] = field(default_factory=dict)
    unread: str = ""


@dataclass(frozen=True)
class WebApplication:
    """The web application, however it is made.

    `config` is its configuration if the file makes it, `assumed` why a value is taken for the application.
    """

    text: str
    config: AppConfig | None = field(default=None, compare=False)
    assumed: str = field(default="", compare=False)


@dataclass(eq=False)
class LocalClass:
    """A class of the file, with the attributes that its body sets.

    `fields` are the arguments of its constructor if it is a dataclass or a named tuple.
    """

    node: ast.ClassDef
    bases: list[Value] = field(default_factory=list)
    attributes: dict[str, Value] = field(default_factory=dict)
    fields: tuple[str, ...] = ()

    def method(self, name: str) -> LocalFunction | None:
        """A method by its name, inherited ones included. It is nested: a unit can't name it."""
        for node in self.node.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
                return LocalFunction(name, node, nested=True)
        inherited = (base.method(name) for base in self.bases if isinstance(base, LocalClass))
        return next(filter(None, inherited), None)

    def all_attributes(self) -> dict[str, Value]:
        """Its attributes and those that it inherits."""
        attributes: dict[str, Value] = {}
        for base in reversed(self.bases):
            if isinstance(base, LocalClass):
                attributes |= base.all_attributes()
        return attributes | self.attributes

    def known(self) -> dict[str, Value]:
        """What is known of its attributes."""
        return self.all_attributes()

    def foreign_base(self) -> str:
        """A class that it inherits from or a decorator that can set attributes of its objects; "" if none can."""
        for base in self.bases:
            if isinstance(base, LocalClass):
                if foreign := base.foreign_base():
                    return foreign
            elif written(base).rpartition(".")[2] not in HARMLESS_BASES:
                return written(base)
        decorators = [ast.unparse(decorator).partition("(")[0] for decorator in self.node.decorator_list]
        return next((name for name in decorators if name.rpartition(".")[2] not in HARMLESS_DECORATORS), "")


@dataclass(eq=False)
class Instance:
    """An object of a class of the file, with the attributes that its methods have set."""

    kind: LocalClass
    attributes: dict[str, Value] = field(default_factory=dict)

    def known(self) -> dict[str, Value]:
        """What is known of its attributes; those of a class from a library can be anything that the library sets."""
        of_class = self.kind.all_attributes()
        if foreign := self.kind.foreign_base():
            why = f"{foreign}, from which {self.kind.node.name} is made"
            of_class = {
                name: UnknownValue(f"{self.kind.node.name}.{name}", why, value) if is_plain(value) else value
                for name, value in of_class.items()
            }
        return of_class | self.attributes


@dataclass(frozen=True)
class Method:
    """A method bound to such an object."""

    instance: Instance
    function: LocalFunction


@dataclass(frozen=True)
class Adder:
    """A scheduler's method that adds jobs, such as `add_job`; the file may give it another name."""

    scheduler: Scheduler
    method: str


@dataclass(frozen=True)
class JobHandle:
    """What `add_job` returns: the job, which the file can change before the scheduler starts."""

    call: AddJobCall
    scheduler: Scheduler


@dataclass(frozen=True)
class Partial:
    """`functools.partial(function, …)`."""

    function: Value
    args: tuple[Value, ...]
    kwargs: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class CallResult:
    """The result of a call that the importer doesn't evaluate, such as `task()` written instead of `task`."""

    function: Value
    args: tuple[Value, ...]
    text: str


@dataclass(frozen=True)
class TriggerObject:
    """A trigger object made in the file: 'cron', 'interval', 'date', 'or', 'and'.

    `fields` are its arguments by name, `parts` the triggers of a combined one, `crontab` the argument of from_crontab,
    `unread` says why that isn't known.
    """

    kind: str
    fields: dict[str, Value] = field(default_factory=dict)
    parts: tuple[Value, ...] = ()
    crontab: str = ""
    unread: str = ""


@dataclass
class Scheduler:
    """A scheduler that the file makes, or that it imports (`made` is False).

    `unread` says why its settings aren't known, if they aren't.
    """

    kind: str
    line: int
    made: bool = True
    name: str = ""
    settings: dict[str, Value] = field(default_factory=dict)
    calls: list[AddJobCall] = field(default_factory=list)
    unread: str = ""


@dataclass
class AddJobCall:
    """One job as the file adds it.

    Attributes:
        line, source: where it stands, and its first line.
        arguments: by APScheduler's names; trigger fields are among them.
        above: decorators above `@scheduled_job`, which had no effect on the job.
        undecided: why it is uncertain that the job is added at all.
        problem: why the call can't be read.
        refused: APScheduler's error message.
        doubt: what has to hold for the job to be added; it is imported with this difference.
        uncalled: the function that adds it and that the file doesn't call.
    """

    line: int
    source: str
    arguments: dict[str, Value]
    above: tuple[str, ...] = ()
    undecided: str = ""
    problem: str = ""
    refused: str = ""
    doubt: str = ""
    uncalled: str = ""


def is_plain(value: Value) -> bool:
    """Whether a value is known in all of its parts."""
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple | set):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | bytes | date | datetime | timedelta)


def unknown(node: ast.AST, why: str, stand_in: Value = UNKNOWN) -> UnknownValue:
    """An expression whose value isn't known."""
    return UnknownValue(ast.unparse(node), why, stand_in)


def reason(value: Value, otherwise: str = ONLY_A_RUN) -> str:
    """What an unknown value depends on."""
    return value.why if isinstance(value, UnknownValue) else otherwise


def why_unknown(value: Value) -> str:
    """Why a value isn't plain: the first reason in it; "" for a plain value."""
    if isinstance(value, UnknownValue):
        return f"{value.text} depends on {value.why}"
    if isinstance(value, dict):
        return next(filter(None, map(why_unknown, value.values())), "")
    if isinstance(value, list | tuple | set):
        return next(filter(None, map(why_unknown, value)), "")
    if isinstance(value, TriggerObject):
        return value.unread or why_unknown(value.fields) or why_unknown(value.parts)
    if isinstance(value, Reference):
        return f"{value.dotted} is not in a module that could be read"
    return "" if is_plain(value) else f"{written(value)} exists only in a running process"


def written(value: Value) -> str:  # noqa: PLR0911 - a table of cases
    """A value as the report names it."""
    match value:
        case UnknownValue() | WebApplication() | CallResult():
            return value.text
        case Reference(dotted):
            return dotted
        case Scheduler():
            return value.name or "a scheduler"
        case JobHandle() | Adder() | TriggerObject():
            return "an object of APScheduler"
        case LocalFunction():
            return value.name
        case Method(instance, function):
            return f"{instance.kind.node.name}.{function.name}"
        case Instance(LocalClass(node)) | LocalClass(node):
            return f"an object of {node.name}"
        case Partial():
            return f"partial({written(value.function)}, …)"
        case _:
            return repr(value)
