"""Calls in a clock file, as far as reading can make them: Python's harmless functions, triggers, zones, applications.

In come a call, what its function stands for, and its evaluated arguments; out comes a value. Nothing of the file is
run; `evaluate` evaluates what stands around the calls.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from scheduled_tasks.importers.apscheduler.values import (
    Application,
    CallResult,
    LocalClass,
    LocalFunction,
    Partial,
    Reference,
    TriggerObject,
    UnknownValue,
    Value,
    is_plain,
)
from scheduled_tasks.importers.apscheduler.vocabulary import (
    ALSO_OF_VALUES,
    COMBINED,
    ENVIRONMENT,
    FACTORIES,
    HARMLESS,
    METHODS,
    MUTATES,
    POSITIONAL,
    TRIGGERS,
    ZONE_MAKERS,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Calls:
    """What calls give, over the names in `names`."""

    def __init__(self, names: dict[str, Value]) -> None:
        self.names = names
        self.stars: list[str] = []  # modules of which everything was imported
        self.evaluated: dict[int, Value] = {}  # whose method is being called: what a call has done is not done again
        self.undecided = ""  # why it isn't sure that this statement is done
        self.applied: set[int] = set()  # the lines of calls that have had their effect here
        self.looping: list[set[str]] = []  # the names that the loops about this statement change

    def value(self, node: ast.expr | None) -> Value:
        """The value of an expression."""
        raise NotImplementedError

    def attribute(self, node: ast.Attribute) -> Value:
        """The value of an attribute."""
        raise NotImplementedError

    def unknown(self, node: ast.AST, why: str) -> UnknownValue:
        """A value that isn't known."""
        return UnknownValue(ast.unparse(node), why)

    def computed(self, node: ast.expr, function: Callable[..., Any] | None, values: list[Value]) -> Value:
        """What a function of Python's own gives for values that are known."""
        for value in values:
            if isinstance(value, UnknownValue):
                return self.unknown(node, value.why)
        if function is None or not all(map(is_plain, values)):
            return self.unknown(node, "what only a run knows")
        try:
            return function(*values)
        except Exception as error:  # noqa: BLE001 - what the file's own arithmetic raises
            return self.unknown(node, f"an operation that raises {type(error).__name__}: {error}")

    def known_call(self, node: ast.Call, function: Value, args: list[Value], kwargs: dict[str, Value]) -> Value:
        """What a call gives."""
        if isinstance(node.func, ast.Attribute) and node.func.attr in MUTATES:
            owner = self.value(node.func.value)
            if isinstance(owner, list | dict):
                return self._mutate(node, owner, node.func.attr, args, kwargs)
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS and not kwargs:
            owner = self.value(node.func.value)
            if isinstance(owner, dict | list | tuple | str) and all(map(is_plain, args)):
                return self._method(node, owner, node.func.attr, args)
        if isinstance(function, LocalFunction):
            return CallResult(function, tuple(args), ast.unparse(node))
        if isinstance(function, Reference):
            return self._imported(node, function.dotted, args, kwargs)
        inner = next((each for each in [*args, *kwargs.values()] if isinstance(each, UnknownValue)), function)
        return self.unknown(node, inner.why if isinstance(inner, UnknownValue) else "what a call gives")

    def _mutate(
        self, node: ast.Call, owner: list[Value] | dict[Value, Value], name: str, args: list[Value],
        kwargs: dict[str, Value],
    ) -> Value:  # fmt: skip
        """Changes a list or a dictionary of the file; what is changed perhaps, isn't known any more."""
        if self.undecided or any(isinstance(each, UnknownValue) and name in {"extend", "update"} for each in args):
            unknown = self.unknown(node, self.undecided.rpartition("hangs on ")[2] or "what only a run knows")
            for key, value in self.names.items():
                if value is owner:
                    self.names[key] = unknown
            return unknown
        self.applied.add(node.lineno)
        if name == "add":  # of a set, which is a list here
            name, args = "extend", [[each for each in args if each not in owner]]
        try:
            return getattr(owner, name)(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - what the file's own call raises
            return self.unknown(node, f"a call that raises {type(error).__name__}: {error}")

    def _method(self, node: ast.Call, owner: Value, name: str, args: list[Value]) -> Value:
        try:
            got = getattr(owner, name)(*args)
        except Exception as error:  # noqa: BLE001 - what the file's own call raises
            return self.unknown(node, f"a call that raises {type(error).__name__}: {error}")
        if name == "items":
            return [list(each) for each in got]
        return list(got) if name in {"keys", "values"} else got

    def _imported(  # noqa: PLR0911 - a table of cases, in their order
        self, node: ast.Call, dotted: str, args: list[Value], kwargs: dict[str, Value]
    ) -> Value:
        last = dotted.rpartition(".")[2]
        if dotted in ENVIRONMENT or dotted.startswith(("os.environ.", "environ.")):
            return self.unknown(node, f"the environment variable {args[0] if args else '?'}")
        if dotted in ZONE_MAKERS and isinstance(zone := args[0] if args else kwargs.get("key"), str):
            return zone
        if (special := self._special(node, dotted, args, kwargs)) is not None:
            return special
        if (trigger := self._trigger(dotted, args, kwargs)) is not None:
            return trigger
        if last in FACTORIES:
            imported = dotted.rpartition(".")[0] if last not in {"Flask", "FastAPI"} else ""
            return Application(f"{imported}:{last}" if imported else ast.unparse(node))
        if dotted in HARMLESS:
            return self._harmless(node, dotted, args, kwargs)
        if last in {"now", "today", "utcnow"}:
            return self.unknown(node, "the moment at which the clock starts")
        return CallResult(Reference(dotted), tuple(args), ast.unparse(node))

    def _special(  # noqa: PLR0911 - a table of cases
        self, node: ast.Call, dotted: str, args: list[Value], kwargs: dict[str, Value]
    ) -> Value | None:
        """Functions that are more than their result: they name, wrap, or make classes."""
        if dotted == "getattr" and len(args) > 1 and isinstance(args[1], str | UnknownValue):
            if isinstance(args[1], UnknownValue):
                return self.unknown(node, args[1].why)
            return self.attribute(ast.Attribute(node.args[0], args[1], ast.Load()))
        if dotted == "globals":
            return dict(self.names)
        if dotted.endswith("namedtuple") and len(args) > 1:
            return _named_tuple(args, kwargs)
        if dotted == "dataclasses.field":
            made = kwargs.get("default_factory")
            return self._harmless(node, made.dotted, [], {}) if isinstance(made, Reference) else kwargs.get("default")
        if dotted == "functools.partial" and args:
            return Partial(args[0], tuple(args[1:]), tuple(kwargs.items()))
        return None

    def _harmless(self, node: ast.Call, dotted: str, args: list[Value], kwargs: dict[str, Value]) -> Value:
        if dotted == "dict" and all(isinstance(each, dict) for each in args):
            return dict(*args, **kwargs)
        harmless, values = HARMLESS[dotted], [*args, *kwargs.values()]
        if dotted in ALSO_OF_VALUES and all(isinstance(each, list | tuple | dict | str | int) for each in values):
            try:
                return harmless(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - what the file's own call raises
                return self.unknown(node, f"a call that raises {type(error).__name__}: {error}")

        def called(*given: Value) -> Value:
            return harmless(*given[: len(args)], **dict(zip(kwargs, given[len(args) :], strict=True)))

        return self.computed(node, called, values)

    def _trigger(self, dotted: str, args: list[Value], kwargs: dict[str, Value]) -> TriggerObject | None:
        if not dotted.startswith("apscheduler.triggers."):
            return None
        last = dotted.rpartition(".")[2]
        if last == "from_crontab" and args:
            zone = kwargs.get("timezone", args[1] if len(args) > 1 else None)
            return TriggerObject("cron", {"timezone": zone} if zone else {}, crontab=str(args[0]))
        if last in COMBINED and (args or "triggers" in kwargs):
            parts = args[0] if args else kwargs["triggers"]
            return TriggerObject(COMBINED[last], parts=tuple(parts) if isinstance(parts, list | tuple) else (parts,))
        if last not in TRIGGERS:
            return None
        kind = TRIGGERS[last]
        return TriggerObject(kind, dict(zip(POSITIONAL[kind], args, strict=False)) | kwargs)


def _named_tuple(args: list[Value], kwargs: dict[str, Value]) -> LocalClass:
    """What `namedtuple("Row", "a b", defaults=[…])` makes."""
    names = args[1].replace(",", " ").split() if isinstance(args[1], str) else list(args[1])
    defaults = list(kwargs.get("defaults") or [])
    node = ast.ClassDef(str(args[0]), [], [], [], [])
    return LocalClass(node, attributes=dict(zip(names[len(names) - len(defaults) :], defaults, strict=False)),
                      fields=tuple(names))  # fmt: skip
