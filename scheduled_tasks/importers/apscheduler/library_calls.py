"""Calls of imported and built-in functions: harmless ones of Python, triggers, time zones, web applications.

Nothing of the file is run; a call that isn't understood gives a `CallResult` or an `UnknownValue`.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from scheduled_tasks.importers.apscheduler.expressions import attribute
from scheduled_tasks.importers.apscheduler.operations import attempt, computed
from scheduled_tasks.importers.apscheduler.scope import Call, Scope
from scheduled_tasks.importers.apscheduler.values import (
    ONLY_A_RUN,
    CallResult,
    LocalClass,
    LocalFunction,
    Partial,
    Reference,
    TriggerObject,
    UnknownValue,
    Value,
    WebApplication,
    is_plain,
    reason,
    unknown,
)
from scheduled_tasks.importers.apscheduler.vocabulary import (
    CHANGING_METHODS,
    COMBINED,
    CONTAINERS,
    ENVIRONMENT,
    FACTORIES,
    POSITIONAL,
    PYTHON_FUNCTIONS,
    READING_METHODS,
    TRIGGERS,
    ZONE_MAKERS,
)


def library_call(call: Call, scope: Scope) -> Value:
    """The result of a call."""
    node, owner = call.node, call.owner
    if call.method in CHANGING_METHODS and isinstance(owner, list | dict):
        return _mutate(call, scope)
    if call.method in READING_METHODS and not call.kwargs and all(map(is_plain, call.args)):  # noqa: SIM102
        if isinstance(owner, dict | list | tuple | str):
            result = attempt(node, getattr(owner, call.method), *call.args)
            if call.method == "items" and not isinstance(result, UnknownValue):
                return [list(pair) for pair in result]
            return list(result) if call.method in {"keys", "values"} else result
    if isinstance(call.function, LocalFunction):
        return CallResult(call.function, tuple(call.args), ast.unparse(node))
    if isinstance(call.function, Reference):
        return _imported(call, call.function.dotted, scope)
    unknowns = (value for value in [*call.args, *call.kwargs.values()] if isinstance(value, UnknownValue))
    return unknown(node, reason(next(unknowns, call.function), "the result of a call"))


def _mutate(call: Call, scope: Scope) -> Value:
    """Change a list or a dictionary of the file; if it is uncertain that the call runs, its value becomes unknown."""
    name, args = call.method, call.args
    if scope.undecided or any(isinstance(arg, UnknownValue) and name in {"extend", "update"} for arg in args):
        result = unknown(call.node, scope.undecided.on if scope.undecided else ONLY_A_RUN)
        scope.names |= {key: result for key, value in scope.names.items() if value is call.owner}
        return result
    scope.reading.source.applied.add(call.node.lineno)
    if name == "add":  # of a set, which is a list here
        name, args = "extend", [[value for value in args if value not in call.owner]]
    return attempt(call.node, lambda: getattr(call.owner, name)(*args, **call.kwargs))


def _imported(  # noqa: PLR0911 - a table of cases, in their order
    call: Call, dotted: str, scope: Scope
) -> Value:
    node, args, kwargs = call.node, call.args, call.kwargs
    module, _, last = dotted.rpartition(".")
    if dotted in ENVIRONMENT or dotted.startswith(("os.environ.", "environ.")):
        return unknown(node, f"the environment variable {args[0] if args else '?'}")
    if dotted in ZONE_MAKERS and isinstance(zone := args[0] if args else kwargs.get("key"), str):
        return zone
    if (special := _special(call, dotted, scope)) is not None:
        return special
    if (trigger := _trigger(dotted, args, kwargs)) is not None:
        return trigger
    if last in FACTORIES:
        is_factory = module and last not in {"Flask", "FastAPI"}
        return WebApplication(f"{module}:{last}" if is_factory else ast.unparse(node))
    if dotted in PYTHON_FUNCTIONS:
        return _python_function(call, dotted)
    if last in {"now", "today", "utcnow"}:
        return unknown(node, "the time at which the clock starts")
    return CallResult(Reference(dotted), tuple(args), ast.unparse(node))


def _special(call: Call, dotted: str, scope: Scope) -> Value | None:  # noqa: PLR0911 - a table of cases
    """Functions that look a name up, make a class or wrap a function."""
    args, kwargs = call.args, call.kwargs
    if dotted == "getattr" and len(args) > 1 and isinstance(args[1], str | UnknownValue):
        if isinstance(args[1], UnknownValue):
            return unknown(call.node, args[1].why)
        return attribute(args[0], ast.Attribute(call.node.args[0], args[1], ast.Load()), scope)
    if dotted == "globals":
        return dict(scope.names)
    if dotted.endswith("namedtuple") and len(args) > 1:
        return _named_tuple(args, kwargs)
    if dotted == "dataclasses.field":
        factory = kwargs.get("default_factory")
        if isinstance(factory, Reference) and factory.dotted in PYTHON_FUNCTIONS:
            return _python_function(replace(call, args=[], kwargs={}), factory.dotted)
        return kwargs.get("default")
    if dotted == "functools.partial" and args:
        return Partial(args[0], tuple(args[1:]), tuple(kwargs.items()))
    return None


def _python_function(call: Call, dotted: str) -> Value:
    args, kwargs = call.args, call.kwargs
    if dotted == "dict" and all(isinstance(arg, dict) for arg in args):
        return dict(*args, **kwargs)
    function, values = PYTHON_FUNCTIONS[dotted], [*args, *kwargs.values()]
    if dotted in CONTAINERS and all(isinstance(value, list | tuple | dict | str | int) for value in values):
        return attempt(call.node, lambda: function(*args, **kwargs))
    return computed(
        call.node,
        lambda *values: function(*values[: len(args)], **dict(zip(kwargs, values[len(args) :], strict=True))), values,
    )  # fmt: skip


def _trigger(dotted: str, args: list[Value], kwargs: dict[str, Value]) -> TriggerObject | None:
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
    """The class that `namedtuple("Row", "a b", defaults=[…])` makes."""
    names = args[1].replace(",", " ").split() if isinstance(args[1], str) else list(args[1])
    defaults = list(kwargs.get("defaults") or [])
    attributes = dict(zip(names[len(names) - len(defaults) :], defaults, strict=False))
    return LocalClass(ast.ClassDef(str(args[0]), [], [], [], []), attributes=attributes, fields=tuple(names))
