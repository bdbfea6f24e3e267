"""Read a clock file without running it: which schedulers it makes, which jobs it adds.

Loops over literals are unrolled, functions of the file that add jobs are entered, even those that only another file
calls. What depends on the process (its environment, its clock) is kept as unknown, with the reason; no job that the
file mentions gets lost. The layers, each using those before it: `scope`, `operations`, `expressions`, `library_calls`
and `schedulers`, `statements`, `local_calls`, and here the order in which a file's parts are read.
"""

from __future__ import annotations

import ast

from scheduled_tasks.importers.apscheduler.expressions import arguments_of, evaluate
from scheduled_tasks.importers.apscheduler.local_calls import enter, make_call
from scheduled_tasks.importers.apscheduler.schedulers import argument_names, owner_of
from scheduled_tasks.importers.apscheduler.scope import Ended, Reading, Scope
from scheduled_tasks.importers.apscheduler.statements import ending_of
from scheduled_tasks.importers.apscheduler.values import (
    AddJobCall,
    ClockSource,
    LocalFunction,
    Scheduler,
    UnknownValue,
    Value,
    WebApplication,
)
from scheduled_tasks.importers.apscheduler.vocabulary import APPLICATION_NAMES, OTHER_VERSIONS, adds

NOT_REACHED = "reading doesn't come to where it stands: a class, a handler, a function called elsewhere"


def read_source(text: str, filename: str) -> ClockSource:
    """Read a file. Raises SyntaxError if it isn't Python."""
    source = ClockSource(ast.parse(text, filename), text)
    scope = Scope(Reading(source, make_call), {"__name__": "__main__", "__file__": "clock.py"})
    ending_of(source.tree.body, scope)
    for method, instance in scope.reading.django:
        if method not in scope.reading.entered:
            _enter_alone(method, [instance], scope)
    _enter_functions_called_elsewhere(scope)
    source.names = scope.names
    for name, value in scope.names.items():
        if isinstance(value, Scheduler) and not value.name:
            value.name = name
    _add_unreached_jobs(scope)
    return source


def _enter_alone(function: LocalFunction, args: list[Value], scope: Scope) -> None:
    try:
        enter(function, args, {}, scope)
    except Ended:
        return


def _enter_functions_called_elsewhere(scope: Scope) -> None:
    """Enter the functions that add jobs and that another file, or a framework, calls: as if called once."""
    source = scope.reading.source
    called_here = {name.id for name in ast.walk(source.tree) if isinstance(name, ast.Name)}
    for function in sorted(source.functions.values(), key=lambda function: function.name in called_here):
        if function in scope.reading.entered or function.node is None or not _adds_unreached(function.node, scope):
            continue
        positional = [*function.node.args.posonlyargs, *function.node.args.args]
        required = positional[: len(positional) - len(function.node.args.defaults)]
        scope.doubt = f"{function.name}() adds it, which this file doesn't call: it is taken as called once"
        _enter_alone(function, [_argument(parameter.arg, function.name) for parameter in required], scope)
        scope.doubt = ""


def _adds_unreached(function: ast.AST, scope: Scope) -> bool:
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call) and adds(node.func))
    return any((node.lineno, node.col_offset) not in scope.reading.reached for node in calls)


def _argument(name: str, function: str) -> Value:
    if name in APPLICATION_NAMES:
        return WebApplication(name)
    return UnknownValue(name, f"what {function}() is called with")


def _add_unreached_jobs(scope: Scope) -> None:
    """Add every call that was not reached as an undecided job, so that no job of the file gets lost."""
    source = scope.reading.source
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or (node.lineno, node.col_offset) in scope.reading.reached:
            continue
        if not isinstance(node.func, ast.Attribute):
            continue
        method, line = node.func.attr, source.line(node.lineno)
        if method in OTHER_VERSIONS:
            function = evaluate(node.args[0], scope) if node.args else None
            refused = f"{method} is APScheduler {OTHER_VERSIONS[method]}'s, and what is imported is APScheduler 3's"
            job = AddJobCall(node.lineno, line, {"func": function}, refused=refused)
            _named_scheduler(node.func.value, scope).calls.append(job)
        elif adds(node.func):
            (args, kwargs), scheduler = arguments_of(node, scope), _named_scheduler(node.func.value, scope)
            arguments = dict(zip(argument_names(scheduler, method), args, strict=False)) | kwargs
            arguments.pop("**", None)
            scheduler.calls.append(AddJobCall(node.lineno, line, arguments, undecided=NOT_REACHED))


def _named_scheduler(node: ast.expr, scope: Scope) -> Scheduler:
    """The scheduler of that name, otherwise the file's first."""
    schedulers, name = scope.reading.source.schedulers, ast.unparse(node)
    named = [scheduler for scheduler in schedulers if scheduler.name == name]
    return next(iter(named or schedulers), None) or owner_of(evaluate(node, scope), node, scope.reading)
