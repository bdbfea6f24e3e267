"""Calls of imported and built-in functions: harmless ones of Python, triggers, time zones, web applications.

Nothing of the file is run; a call that isn't understood gives a `CallResult` or an `UnknownValue`.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from scheduled_tasks.importers.apscheduler import model, vocabulary
from scheduled_tasks.importers.apscheduler.evidence import stand_in
from scheduled_tasks.importers.apscheduler.expressions import attribute
from scheduled_tasks.importers.apscheduler.model import (
    ONLY_A_RUN,
    UNKNOWN,
    Value,
    is_plain,
    reason,
    unknown,
    why_unknown,
)
from scheduled_tasks.importers.apscheduler.operations import attempt, computed
from scheduled_tasks.importers.apscheduler.scope import Call, Scope


def library_call(call: Call, scope: Scope) -> Value:  # noqa: PLR0911 - a table of cases, in their order
    """The result of a call."""
    node, owner = call.node, call.owner
    if call.method in vocabulary.CHANGING_METHODS and isinstance(owner, list | dict):
        return _mutate(call, scope)
    if call.method in vocabulary.READING_METHODS and not call.kwargs and all(map(is_plain, call.args)):
        if isinstance(owner, model.UnknownValue) and isinstance(owner.stand_in, str):
            return computed(node, lambda text: getattr(text, call.method)(*call.args), [owner])
        if isinstance(owner, dict | list | tuple | str):
            result = attempt(node, getattr(owner, call.method), *call.args)
            if call.method == "items" and not isinstance(result, model.UnknownValue):
                return [list(pair) for pair in result]
            return list(result) if call.method in {"keys", "values"} else result
    if isinstance(call.function, model.LocalFunction):
        return model.CallResult(call.function, tuple(call.args), ast.unparse(node))
    if isinstance(call.function, model.Reference):
        return _imported(call, call.function.dotted, scope)
    unknowns = (value for value in [*call.args, *call.kwargs.values()] if isinstance(value, model.UnknownValue))
    return unknown(node, reason(next(unknowns, call.function), "the result of a call"))


def _mutate(call: Call, scope: Scope) -> Value:
    """Change a list or a dictionary of the file; if it is uncertain that the call runs, its value becomes unknown."""
    name, args = call.method, call.args
    if scope.undecided or any(isinstance(arg, model.UnknownValue) and name in {"extend", "update"} for arg in args):
        result = unknown(call.node, scope.undecided.on if scope.undecided else ONLY_A_RUN)
        scope.names |= {key: result for key, value in scope.names.items() if value is call.owner}
        if isinstance(call.owner, list):  # it may have other names, in a class or a dictionary
            call.owner.append(result)
        else:
            call.owner[ast.unparse(call.node)] = result
        return result
    scope.reading.source.applied.add(call.node.lineno)
    if name == "add":  # of a set, which is a list here
        name, args = "extend", [[value for value in args if value not in call.owner]]
    return attempt(call.node, lambda: getattr(call.owner, name)(*args, **call.kwargs))


def _imported(call: Call, dotted: str, scope: Scope) -> Value:  # noqa: C901, PLR0911 - a table of cases, in their order
    node, args, kwargs = call.node, call.args, call.kwargs
    module, _, last = dotted.rpartition(".")
    if dotted in vocabulary.ENVIRONMENT or dotted.startswith(("os.environ.", "environ.")):
        return unknown(node, f"the environment variable {args[0] if args else '?'}", _default(call, dotted))
    if dotted == "tzlocal.get_localzone":
        return None  # as a scheduler that is given no zone
    if dotted in vocabulary.ZONE_MAKERS:
        zone = args[0] if args else kwargs.get("key")
        if isinstance(zone, str | model.UnknownValue):
            return zone
    if (special := _special(call, dotted, scope)) is not None:
        return special
    if (trigger := _trigger(dotted, args, kwargs)) is not None:
        return trigger
    if last in vocabulary.FACTORIES:
        is_factory = module and last not in {"Flask", "FastAPI"}
        if not is_factory:
            return model.WebApplication(ast.unparse(node), model.AppConfig())
        return model.WebApplication(f"{module}:{last}")
    if dotted in vocabulary.PYTHON_FUNCTIONS:
        return _python_function(call, dotted)
    if last in {"now", "today", "utcnow"}:
        return unknown(node, "the time at which the clock starts")
    return model.CallResult(model.Reference(dotted), tuple(args), ast.unparse(node))


def _default(call: Call, dotted: str) -> Value:
    """What a function gives for an environment variable that isn't set."""
    given = [*call.args[1:2], *(value for key, value in call.kwargs.items() if key == "default")]
    if given:
        return stand_in(given[0])
    return None if dotted in {"os.getenv", "os.environ.get", "environ.get"} else UNKNOWN


def _special(call: Call, dotted: str, scope: Scope) -> Value | None:  # noqa: PLR0911 - a table of cases
    """The result of a function that looks a name up, makes a class or wraps a function; None for any other."""
    args, kwargs = call.args, call.kwargs
    if dotted == "getattr" and len(args) > 1 and isinstance(args[1], str | model.UnknownValue):
        if isinstance(args[1], model.UnknownValue):
            return unknown(call.node, args[1].why)
        return attribute(args[0], ast.Attribute(call.node.args[0], args[1], ast.Load()), scope)
    if dotted == "nonebot.require" and args and isinstance(args[0], str):
        return model.Reference(args[0])
    if dotted == "globals":
        return dict(scope.names)
    if dotted.endswith("namedtuple") and len(args) > 1:
        return _named_tuple(args, kwargs)
    if dotted == "dataclasses.field":
        factory = kwargs.get("default_factory")
        if isinstance(factory, model.Reference) and factory.dotted in vocabulary.PYTHON_FUNCTIONS:
            return _python_function(replace(call, args=[], kwargs={}), factory.dotted)
        return kwargs.get("default")
    if dotted == "functools.partial" and args:
        return model.Partial(args[0], tuple(args[1:]), tuple(kwargs.items()))
    return None


def _python_function(call: Call, dotted: str) -> Value:
    args, kwargs = call.args, call.kwargs
    if dotted == "dict" and all(isinstance(arg, dict) for arg in args):
        return dict(*args, **kwargs)
    function, values = vocabulary.PYTHON_FUNCTIONS[dotted], [*args, *kwargs.values()]
    if dotted in vocabulary.CONTAINERS and all(isinstance(value, list | tuple | dict | str | int) for value in values):
        return attempt(call.node, lambda: function(*args, **kwargs))
    return computed(
        call.node,
        lambda *values: function(*values[: len(args)], **dict(zip(kwargs, values[len(args) :], strict=True))), values,
    )  # fmt: skip


def _trigger(dotted: str, args: list[Value], kwargs: dict[str, Value]) -> model.TriggerObject | None:
    if not dotted.startswith("apscheduler.triggers."):
        return None
    last = dotted.rpartition(".")[2]
    if last == "from_crontab" and (args or "expr" in kwargs):
        zone = kwargs.get("timezone", args[1] if len(args) > 1 else None)
        expression = args[0] if args else kwargs.get("expr")
        unread = (
            "" if isinstance(expression, str) else why_unknown(expression) or f"{expression!r} is not a crontab's time"
        )
        fields = {"timezone": zone} if zone else {}
        return model.TriggerObject("cron", fields, crontab=str(expression), unread=unread)
    if last in vocabulary.COMBINED and (args or "triggers" in kwargs):
        parts = args[0] if args else kwargs["triggers"]
        parts = tuple(parts) if isinstance(parts, list | tuple) else (parts,)
        return model.TriggerObject(vocabulary.COMBINED[last], parts=parts)
    if last not in vocabulary.TRIGGERS:
        return None
    kind = vocabulary.TRIGGERS[last]
    return model.TriggerObject(kind, dict(zip(vocabulary.POSITIONAL[kind], args, strict=False)) | kwargs)


def _named_tuple(args: list[Value], kwargs: dict[str, Value]) -> model.LocalClass:
    """The class that `namedtuple("Row", "a b", defaults=[…])` makes."""
    names = args[1].replace(",", " ").split() if isinstance(args[1], str) else list(args[1])
    defaults = list(kwargs.get("defaults") or [])
    attributes = dict(zip(names[len(names) - len(defaults) :], defaults, strict=False))
    return model.LocalClass(ast.ClassDef(str(args[0]), [], [], [], []), attributes=attributes, fields=tuple(names))
