"""Read a clock file without running it: which schedulers it makes, which jobs it adds.

Loops over literals are unrolled, functions of the file that add jobs are entered, even those that only another file
calls. What depends on the process (its environment, its clock) is kept as unknown, with the reason; no job that the
file mentions gets lost. The layers, each using those before it: `scope`, `operations`, `expressions`, `library_calls`
and `schedulers`, `statements`. This module reads the file's own functions as if they ran, and decides the order.
"""

from __future__ import annotations

import ast
from contextlib import suppress
from pathlib import Path

from scheduled_tasks.importers.apscheduler import model, schedulers
from scheduled_tasks.importers.apscheduler.expressions import arguments_of, evaluate
from scheduled_tasks.importers.apscheduler.flask import config_call
from scheduled_tasks.importers.apscheduler.library_calls import library_call
from scheduled_tasks.importers.apscheduler.model import Value, is_plain, unknown
from scheduled_tasks.importers.apscheduler.operations import one_of
from scheduled_tasks.importers.apscheduler.own_modules import OwnModules
from scheduled_tasks.importers.apscheduler.scope import Call, Ended, Ending, Reading, Scope
from scheduled_tasks.importers.apscheduler.source import Aside, ClockSource
from scheduled_tasks.importers.apscheduler.statements import ending_of
from scheduled_tasks.importers.apscheduler.vocabulary import (
    ADDS,
    APPLICATION_NAMES,
    COMBINED,
    FLASK,
    OTHER_VERSIONS,
    PYTHON_FUNCTIONS,
    TRIGGERS,
    adds,
)

NOT_WRAPPERS = {"isinstance", "print", "partial", "reschedule", "reschedule_job", "modify", "modify_job"}
SETTING_UP = ("__init__", "configure", "_configure", "add_job")  # methods with which a scheduler's class sets it up
MAX_DEPTH = 5  # of calls that are entered
NOT_REACHED = "reading doesn't reach it: it is in a class, a handler, or a function called elsewhere"


def read_source(text: str, path: Path, roots: list[Path]) -> ClockSource:
    """Read a file whose own modules are below the roots. Raises SyntaxError if it isn't Python."""
    source = ClockSource(ast.parse(text, str(path)), text)
    own = OwnModules(roots, lambda tree, text, path, module: _module_names(tree, text, path, module, own))
    scope = Scope(
        Reading(source, make_call, path, own, is_clock=True), {"__name__": "__main__", "__file__": "clock.py"}
    )
    ending_of(source.tree.body, scope)
    for method, instance in scope.reading.django:
        if method not in scope.reading.entered:
            _enter_alone(method, [instance], scope)
    _enter_functions_called_elsewhere(scope)
    source.names = scope.names
    for name, value in scope.names.items():
        if isinstance(value, model.Scheduler) and not value.name:
            value.name = name
    _add_unreached_jobs(scope)
    return source


def _module_names(tree: ast.Module, text: str, path: Path, module: str, own: OwnModules) -> dict[str, Value]:
    """What a module beside the file binds to its names."""
    scope = Scope(Reading(ClockSource(tree, text), make_call, path, own, is_clock=False), {"__name__": module})
    ending_of(tree.body, scope)
    return scope.names


def _enter_alone(function: model.LocalFunction, args: list[Value], scope: Scope) -> None:
    with suppress(Ended):
        enter(function, args, {}, scope)


def _enter_functions_called_elsewhere(scope: Scope) -> None:
    """Enter, as if called once, each function that adds jobs and that only another file or a framework calls."""
    source = scope.reading.source
    called_here = {name.id for name in ast.walk(source.tree) if isinstance(name, ast.Name)}
    for function in sorted(source.functions.values(), key=lambda function: function.name in called_here):
        if function in scope.reading.entered or function.node is None or not _adds_unreached(function.node, scope):
            continue
        uncalled = f"{function.name}() adds it, and this file doesn't call that function"
        scope.doubt, scope.uncalled = f"{uncalled}: it is imported as if called once", function.name
        _enter_alone(function, [_argument(name, function.name) for name in function.required()], scope)
        scope.doubt = scope.uncalled = ""


def _adds_unreached(function: ast.AST, scope: Scope) -> bool:
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call) and adds(node.func))
    return any((node.lineno, node.col_offset) not in scope.reading.reached for node in calls)


def _argument(name: str, function: str) -> Value:
    if name in APPLICATION_NAMES:
        assumed = f"{name}, a parameter of {function}(), is taken to be the application that the configuration names"
        return model.WebApplication(name, assumed=assumed)
    return model.UnknownValue(name, f"the arguments of {function}()")


def _add_unreached_jobs(scope: Scope) -> None:
    """Add every call that was not reached as an undecided job, so that no job of the file gets lost."""
    source = scope.reading.source
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or (node.lineno, node.col_offset) in scope.reading.reached:
            continue
        line = source.line(node.lineno)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if method in OTHER_VERSIONS and isinstance(node.func, ast.Attribute):
            function = evaluate(node.args[0], scope) if node.args else None
            refused = f"{method} belongs to APScheduler {OTHER_VERSIONS[method]}, and only APScheduler 3 is imported"
            job = model.AddJobCall(node.lineno, line, {"func": function}, refused=refused)
            _named_scheduler(node.func.value, scope).calls.append(job)
        elif adds(node.func) and isinstance(node.func, ast.Attribute):
            (args, kwargs), scheduler = arguments_of(node, scope), _named_scheduler(node.func.value, scope)
            arguments = dict(zip(schedulers.argument_names(scheduler, method), args, strict=False)) | kwargs
            arguments.pop("**", None)
            scheduler.calls.append(model.AddJobCall(node.lineno, line, arguments, undecided=NOT_REACHED))
        elif _is_given_a_trigger(node, scope):
            name = ast.unparse(node.func)
            function = evaluate(node.args[0], scope) if node.args and isinstance(node.args[0], ast.Name) else None
            wrapper = f"{name}() is given a trigger, and how it adds a job can't be read"
            job = model.AddJobCall(node.lineno, line, {"func": function}, undecided=wrapper)
            _named_scheduler(node.func, scope).calls.append(job)


def _is_given_a_trigger(node: ast.Call, scope: Scope) -> bool:
    """Whether a call of something that isn't in the file looks as if it adds a job: it gets a trigger."""
    if node.lineno in scope.reading.source.applied:
        return False
    root = node.func
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(root, ast.Name) and isinstance(scope.names.get(root.id), model.LocalFunction | model.LocalClass):
        return False
    if _last_name(node.func) in {*TRIGGERS, *COMBINED, *PYTHON_FUNCTIONS, *NOT_WRAPPERS}:
        return False
    kinds = [keyword.value for keyword in node.keywords if keyword.arg == "trigger"]
    kinds += node.args[:2] if "schedule" in ast.unparse(node.func) else []
    if any(isinstance(kind, ast.Constant) and kind.value in TRIGGERS.values() for kind in kinds):
        return True
    return any(_is_trigger(value, scope) for value in [*node.args, *(keyword.value for keyword in node.keywords)])


def _is_trigger(node: ast.expr, scope: Scope) -> bool:
    if isinstance(node, ast.Name):
        return isinstance(scope.names.get(node.id), model.TriggerObject)
    return isinstance(node, ast.Call) and _last_name(node.func) in {*TRIGGERS, *COMBINED, "from_crontab"}


def _last_name(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


def _named_scheduler(node: ast.expr, scope: Scope) -> model.Scheduler:
    """The scheduler of that name, otherwise the file's first."""
    every, name = scope.reading.source.schedulers, ast.unparse(node)
    named = [scheduler for scheduler in every if scheduler.name == name]
    return next(iter(named or every), None) or schedulers.owner_of(evaluate(node, scope), node, scope.reading)


def make_call(call: Call, scope: Scope) -> Value:  # noqa: C901, PLR0911 - a table of cases, in their order
    """The result of a call, with its effect on jobs."""
    function, owner, method = call.function, call.owner, call.method
    if isinstance(function, model.Adder) or method in ADDS:
        if "scheduled_job" in {method, function.method if isinstance(function, model.Adder) else ""}:
            return unknown(call.node, "what it decorates")
        return schedulers.add_job(call, scope)
    if isinstance(owner, model.JobHandle) and method in schedulers.JOB_CHANGES:
        return schedulers.change_job(owner, method, call.args, call, scope)
    if isinstance(owner, model.AppConfig):
        return config_call(call, owner, scope)
    if isinstance(owner, model.Scheduler):
        return schedulers.call_scheduler(call, owner, scope)
    if _is_scheduler_class(function):
        return schedulers.make_scheduler(function, call, scope)
    if isinstance(function, model.Method) and scope.depth < MAX_DEPTH:
        return enter(function.function, [function.instance, *call.args], call.kwargs, scope)
    if isinstance(function, model.LocalClass):
        return _instance(call, function, scope)
    if isinstance(function, model.LocalFunction) and function.node is not None and scope.depth < MAX_DEPTH:
        if _adds_jobs(function, scope):
            scope.reading.source.applied.add(call.node.lineno)
            return enter(function, call.args, call.kwargs, scope)
        if isinstance(function.node, ast.FunctionDef):
            result = enter(function, call.args, call.kwargs, scope)  # it may change what jobs are made of
            if is_plain(result):
                return result
    return library_call(call, scope)


def _is_scheduler_class(value: Value) -> bool:
    is_imported = isinstance(value, model.Reference)
    return is_imported and (value.dotted.startswith("apscheduler.schedulers.") or value.dotted == FLASK)


def _adds_jobs(function: model.LocalFunction, scope: Scope) -> bool:
    """Whether a function adds jobs or makes a scheduler, itself or in a function of the file that it calls."""
    calls = [node for node in ast.walk(function.node or ast.Pass()) if isinstance(node, ast.Call)]
    if any(adds(node.func) or ast.unparse(node.func).endswith("Scheduler") for node in calls):
        return True
    called = [scope.names.get(node.func.id) for node in calls if isinstance(node.func, ast.Name)]
    return any(
        isinstance(other, model.LocalFunction) and other.name != function.name and other.node is not None
        and "add_job" in ast.unparse(other.node)
        for other in called
    )  # fmt: skip


def _instance(call: Call, kind: model.LocalClass, scope: Scope) -> Value:
    """The object that a class of the file makes; one that inherits from a scheduler is a scheduler."""
    reading = scope.reading
    for base in kind.bases:
        if isinstance(base, model.Reference) and base.dotted.startswith("apscheduler.schedulers."):
            inside = (node for node in ast.walk(kind.node) if isinstance(node, ast.Call))
            reading.reached |= {(node.lineno, node.col_offset) for node in inside}
            name = kind.node.name
            text = f"{name} is the file's own scheduler class: what it adds to APScheduler's is not imported"
            reading.source.asides.append(Aside(kind.node.lineno, f"class {name}", text))
            scheduler = schedulers.make_scheduler(base, call, scope)
            own = next((method for method in SETTING_UP if kind.method(method)), "")
            if own:
                schedulers.leave_unread(scheduler, model.UnknownValue(name, f"its own {own}()"))
            return scheduler
    instance = model.Instance(kind)
    if kind.fields:
        instance.attributes |= dict(zip(kind.fields, call.args, strict=False)) | call.kwargs
    if (constructor := kind.method("__init__")) is not None:
        enter(constructor, [instance, *call.args], call.kwargs, scope)
    return instance


def enter(function: model.LocalFunction, args: list[Value], kwargs: dict[str, Value], scope: Scope) -> Value:
    """Read a function's body as called with these arguments, and return its result.

    Raises:
        Ended: it ends the program.
    """
    node = function.node
    assert node is not None  # noqa: S101 - the caller has checked
    scope.reading.entered.add(function)
    inner = scope.inner(depth=scope.depth + 1, loop_names=frozenset(), returned=[], changed_globals={})
    inner.names |= function.around
    inner.names |= _parameters(node.args, args, kwargs, scope)
    ending = ending_of(node.body, inner)
    declared = {name for statement in ast.walk(node) if isinstance(statement, ast.Global) for name in statement.names}
    inner.changed_globals |= {name: inner.names[name] for name in declared if name in inner.names}
    scope.changed_globals |= inner.changed_globals
    scope.names |= inner.changed_globals
    if ending is Ending.EXIT:
        raise Ended(ending)
    result = one_of(f"{function.name}()", [value for value, _ in inner.returned] or [None], _dependency(inner.returned))
    return result if result is not None else model.UnknownValue(function.name, "its result")


def _dependency(returned: list[tuple[Value, str]]) -> str:
    return next((on for _, on in returned if on), "which of its return statements runs")


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
