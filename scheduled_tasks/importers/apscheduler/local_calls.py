"""Calls in a clock file: what they do to schedulers and jobs, and the file's own functions, read as if they ran."""

from __future__ import annotations

import ast

from scheduled_tasks.importers.apscheduler.expressions import evaluate
from scheduled_tasks.importers.apscheduler.library_calls import library_call
from scheduled_tasks.importers.apscheduler.schedulers import (
    JOB_CHANGES,
    add_job,
    call_scheduler,
    change_job,
    make_scheduler,
)
from scheduled_tasks.importers.apscheduler.scope import Call, Ended, Ending, Scope
from scheduled_tasks.importers.apscheduler.statements import ending_of
from scheduled_tasks.importers.apscheduler.values import (
    Adder,
    Aside,
    Instance,
    JobHandle,
    LocalClass,
    LocalFunction,
    Method,
    Reference,
    Scheduler,
    UnknownValue,
    Value,
    is_plain,
    unknown,
)
from scheduled_tasks.importers.apscheduler.vocabulary import ADDS, FLASK, adds

MAX_DEPTH = 5  # of calls that are entered


def make_call(call: Call, scope: Scope) -> Value:  # noqa: C901, PLR0911 - a table of cases, in their order
    """The result of a call, with its effect on jobs."""
    function, owner, method = call.function, call.owner, call.method
    if isinstance(function, Adder) or method in ADDS:
        if "scheduled_job" in {method, function.method if isinstance(function, Adder) else ""}:
            return unknown(call.node, "what it decorates")
        return add_job(call, scope)
    if isinstance(owner, JobHandle) and method in JOB_CHANGES:
        return change_job(owner, method, call.args, call, scope)
    if isinstance(owner, Scheduler):
        return call_scheduler(call, owner, scope)
    if _is_scheduler_class(function):
        return make_scheduler(function, call, scope.reading)
    if isinstance(function, Method) and scope.depth < MAX_DEPTH:
        return enter(function.function, [function.instance, *call.args], call.kwargs, scope)
    if isinstance(function, LocalClass):
        return _instance(call, function, scope)
    if isinstance(function, LocalFunction) and function.node is not None and scope.depth < MAX_DEPTH:
        if _adds_jobs(function, scope):
            scope.reading.source.applied.add(call.node.lineno)
            return enter(function, call.args, call.kwargs, scope)
        if isinstance(function.node, ast.FunctionDef):
            result = enter(function, call.args, call.kwargs, scope)  # it may change what jobs are made of
            if is_plain(result):
                return result
    return library_call(call, scope)


def _is_scheduler_class(value: Value) -> bool:
    is_imported = isinstance(value, Reference)
    return is_imported and (value.dotted.startswith("apscheduler.schedulers.") or value.dotted == FLASK)


def _adds_jobs(function: LocalFunction, scope: Scope) -> bool:
    """Whether a function adds jobs or makes a scheduler, itself or in a function of the file that it calls."""
    calls = [node for node in ast.walk(function.node or ast.Pass()) if isinstance(node, ast.Call)]
    if any(adds(node.func) or ast.unparse(node.func).endswith("Scheduler") for node in calls):
        return True
    called = [scope.names.get(node.func.id) for node in calls if isinstance(node.func, ast.Name)]
    return any(
        isinstance(other, LocalFunction) and other.name != function.name and other.node is not None
        and "add_job" in ast.unparse(other.node)
        for other in called
    )  # fmt: skip


def _instance(call: Call, kind: LocalClass, scope: Scope) -> Value:
    """The object that a class of the file makes; one that inherits from a scheduler is a scheduler."""
    reading = scope.reading
    for base in kind.bases:
        if isinstance(base, Reference) and base.dotted.startswith("apscheduler.schedulers."):
            inside = (node for node in ast.walk(kind.node) if isinstance(node, ast.Call))
            reading.reached |= {(node.lineno, node.col_offset) for node in inside}
            name = kind.node.name
            text = f"{name} is a scheduler of the file's own: what it adds to APScheduler's is not taken over"
            reading.source.asides.append(Aside(kind.node.lineno, f"class {name}", text))
            return make_scheduler(base, call, reading)
    instance = Instance(kind)
    if kind.fields:
        instance.attributes |= dict(zip(kind.fields, call.args, strict=False)) | call.kwargs
    if (constructor := kind.method("__init__")) is not None:
        enter(constructor, [instance, *call.args], call.kwargs, scope)
    return instance


def enter(function: LocalFunction, args: list[Value], kwargs: dict[str, Value], scope: Scope) -> Value:
    """Read a function's body as called with these arguments, and return its result.

    Raises:
        Ended: it ends the program.
    """
    node = function.node
    assert node is not None  # noqa: S101 - the caller has checked
    scope.reading.entered.add(function)
    inner = scope.inner(depth=scope.depth + 1, loop_names=frozenset(), returned=None, changed_globals={})
    inner.names |= _parameters(node.args, args, kwargs, scope)
    ending = ending_of(node.body, inner)
    declared = {name for statement in ast.walk(node) if isinstance(statement, ast.Global) for name in statement.names}
    inner.changed_globals |= {name: inner.names[name] for name in declared if name in inner.names}
    scope.changed_globals |= inner.changed_globals
    scope.names |= inner.changed_globals
    if ending is Ending.EXIT:
        raise Ended(ending)
    return inner.returned if inner.returned is not None else UnknownValue(function.name, "what it gives")


def _parameters(
    parameters: ast.arguments, args: list[Value], kwargs: dict[str, Value], scope: Scope
) -> dict[str, Value]:
    """What a function's parameters are bound to."""
    positional = [parameter.arg for parameter in [*parameters.posonlyargs, *parameters.args]]
    first_default = len(positional) - len(parameters.defaults)
    named = [*zip(positional[first_default:], parameters.defaults, strict=True)]
    keyword_only = [parameter.arg for parameter in parameters.kwonlyargs]
    named += [(name, node) for name, node in zip(keyword_only, parameters.kw_defaults, strict=True) if node is not None]
    bound = {name: evaluate(default, scope) for name, default in named}
    bound |= dict(zip(positional, args, strict=False)) | kwargs
    if parameters.vararg is not None:
        bound[parameters.vararg.arg] = tuple(args[len(positional) :])
    if parameters.kwarg is not None:
        own = {*positional, *keyword_only}
        bound[parameters.kwarg.arg] = {key: value for key, value in kwargs.items() if key not in own}
    return bound
