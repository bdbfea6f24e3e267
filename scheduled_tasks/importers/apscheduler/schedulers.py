"""Calls on a scheduler or one of its jobs: add and change jobs, collect settings, mention all other calls."""

from __future__ import annotations

import ast
import copy

from scheduled_tasks.importers.apscheduler import model, vocabulary
from scheduled_tasks.importers.apscheduler.expressions import evaluate, evaluated_call
from scheduled_tasks.importers.apscheduler.flask import init_app
from scheduled_tasks.importers.apscheduler.model import Value, is_plain, unknown, why_unknown
from scheduled_tasks.importers.apscheduler.operations import if_it_runs
from scheduled_tasks.importers.apscheduler.scope import Call, Reading, Scope
from scheduled_tasks.importers.apscheduler.source import Aside
from scheduled_tasks.importers.apscheduler.vocabulary import UNREAD, adds, settings_of

NO_APPLICATION = "the scheduler gets its settings from an application's configuration, and the file passes it none"
JOB_CHANGES = {"modify", "reschedule", "pause", "resume", "remove"}  # methods of a job


def make_scheduler(kind: model.Reference, call: Call, scope: Scope) -> model.Scheduler:
    """A scheduler that the file makes."""
    name = vocabulary.FLASK if kind.dotted == vocabulary.FLASK else kind.dotted.rpartition(".")[2]
    if name == vocabulary.FLASK:
        return _make_flask_scheduler(call, scope)
    scheduler = model.Scheduler(name, call.node.lineno, settings=settings_of(call.args, call.kwargs))
    scope.reading.source.schedulers.append(scheduler)
    return scheduler


def _make_flask_scheduler(call: Call, scope: Scope) -> model.Scheduler:
    """Flask-APScheduler's: `APScheduler(scheduler=None, app=None)`."""
    given = dict(zip(("scheduler", "app"), call.args, strict=False)) | call.kwargs
    scheduler = model.Scheduler(vocabulary.FLASK, call.node.lineno, unread=NO_APPLICATION)
    inner = given.get("scheduler")
    if isinstance(inner, model.Scheduler):
        scheduler.settings |= inner.settings
        scope.reading.source.schedulers = [other for other in scope.reading.source.schedulers if other is not inner]
    scope.reading.source.schedulers.append(scheduler)
    if given.get("app") is not None:
        init_app(scheduler, given["app"], call, scope)
    return scheduler


def add_decorated(function: model.LocalFunction, scope: Scope) -> None:
    """Add a function once for each `@scheduler.scheduled_job(…)` that decorates it."""
    decorators = function.node.decorator_list if function.node else []
    for position, decorator in enumerate(decorators):
        if isinstance(decorator, ast.Call) and _schedules(decorator.func, scope):
            above = tuple(ast.unparse(other) for other in decorators[:position] if not _adds(other))
            add_job(evaluated_call(decorator, scope), scope, function, above)


def _schedules(function: ast.expr, scope: Scope) -> bool:
    """Whether a decorator adds the decorated function as a job."""
    if adds(function) == "scheduled_job":
        return True
    if not isinstance(function, ast.Attribute) or function.attr != "task":
        return False
    owner = evaluate(function.value, scope)
    return isinstance(owner, model.Scheduler) and owner.kind == vocabulary.FLASK


def _adds(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and bool(adds(decorator.func))


def add_job(
    call: Call, scope: Scope, decorated: model.LocalFunction | None = None, above: tuple[str, ...] = ()
) -> model.JobHandle:
    """Add the job of a call, `decorated` if the call is a decorator, and return its handle."""
    node, reading = call.node, scope.reading
    reading.reached.add((node.lineno, node.col_offset))
    reading.source.applied.add(node.lineno)
    if isinstance(call.function, model.Adder):
        scheduler, method = owner_of(call.function.scheduler, node, reading), call.function.method
    else:
        assert isinstance(node.func, ast.Attribute)  # noqa: S101 - the caller has checked
        scheduler, method = owner_of(call.owner, node.func.value, reading), call.method
    names = argument_names(scheduler, method)
    arguments = dict(zip(names, call.args, strict=False)) | call.kwargs
    for name in {"args", "kwargs"} & arguments.keys():  # later changes to them have no effect on the job
        arguments[name] = copy.copy(arguments[name])
    if (function := decorated or _called_in_place(node, scope)) is not None:
        arguments["func"] = function
    problem = "" if len(call.args) <= len(names) else "it has more positional arguments than APScheduler takes"
    if "**" in arguments:
        problem = why_unknown(arguments.pop("**")) or "its arguments are assembled elsewhere"
    undecided = f"it is added {scope.undecided.when}" if scope.undecided else ""
    if isinstance(node.func, ast.Attribute) and isinstance(_first_name(node.func.value, scope), model.CallResult):
        undecided = undecided or f"{ast.unparse(node.func.value)} is not a scheduler that this file makes or imports"
    line = reading.source.line(node.lineno)
    job = model.AddJobCall(
        node.lineno, line, arguments, above, undecided, problem, doubt=scope.doubt, uncalled=scope.uncalled
    )
    if reading.is_clock:
        scheduler.calls.append(job)
    return model.JobHandle(job, scheduler)


def argument_names(scheduler: model.Scheduler, method: str) -> tuple[str, ...]:
    """The positional parameters of a method that adds jobs."""
    return (vocabulary.FLASK_ADDS if scheduler.kind == vocabulary.FLASK else vocabulary.ADDS)[method]


def owner_of(owner: Value, node: ast.expr, reading: Reading) -> model.Scheduler:
    """The scheduler that an expression stands for; one that the file doesn't make is identified by the expression."""
    if isinstance(owner, model.Scheduler):
        if not any(owner is known for known in reading.source.schedulers):
            reading.source.schedulers.append(owner)  # of another module of the user's
        return owner
    text = owner.dotted if isinstance(owner, model.Reference) else ast.unparse(node)
    if text not in reading.foreign:
        name = text.rpartition(".")[2]
        unread = f"{text} is a scheduler that could not be read"
        scheduler = model.Scheduler("Scheduler", node.lineno, made=False, name=name, unread=unread)
        if text in vocabulary.LIBRARY_ZONES:
            zone = vocabulary.LIBRARY_ZONES[text]
            scheduler.settings["timezone"] = model.UnknownValue(text, "its configuration, whose default it is", zone)
        reading.foreign[text] = scheduler
        reading.source.schedulers.append(scheduler)
    return reading.foreign[text]


def _called_in_place(node: ast.Call, scope: Scope) -> model.CallResult | None:
    """`add_job(task(), …)`: a function of the file that is called where it should be passed."""
    passed = [keyword.value for keyword in node.keywords if keyword.arg == "func"] or node.args[:1]
    if not passed or not isinstance(passed[0], ast.Call) or not isinstance(passed[0].func, ast.Name):
        return None
    function = scope.names.get(passed[0].func.id)
    if not isinstance(function, model.LocalFunction):
        return None
    return model.CallResult(function, tuple(evaluate(arg, scope) for arg in passed[0].args), ast.unparse(passed[0]))


def _first_name(node: ast.expr, scope: Scope) -> Value:
    """The value of `a` in `a.b.c`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return evaluate(node, scope) if isinstance(node, ast.Name) else None


def call_scheduler(call: Call, scheduler: model.Scheduler, scope: Scope) -> Value:
    """Call another method of a scheduler: change a job, change a setting, or mention the call."""
    method = call.method
    change, job = method.removesuffix("_job"), _job_by_id(call, scheduler)
    if job and method == "get_job":
        return job
    if job and change in JOB_CHANGES and method != change:
        return change_job(job, change, call.args[1:], call, scope)
    if method == "init_app" and scheduler.kind == vocabulary.FLASK:
        init_app(scheduler, call.args[0] if call.args else call.kwargs.get("app"), call, scope)
    if method == "configure":
        _configure(scheduler, settings_of(call.args, call.kwargs), scope)
    text = vocabulary.SCHEDULER_METHODS.get(method, f"{method}() works on a running scheduler, and none runs here")
    if text:
        scope.reading.source.asides.append(Aside(call.node.lineno, ast.unparse(call.node), text))
    return unknown(call.node, "the scheduler")


def leave_unread(scheduler: model.Scheduler, why: model.UnknownValue) -> None:
    """Record that a scheduler's settings could not be read; those that were can have been changed."""
    for name, value in scheduler.settings.items():
        scheduler.settings[name] = model.UnknownValue(why.text, why.why, value)
    scheduler.settings[UNREAD] = why


def _configure(scheduler: model.Scheduler, settings: dict[str, Value], scope: Scope) -> None:
    """Change a scheduler's settings; those that may have been changed become unknown."""
    for name in {*scheduler.settings, *settings} - {UNREAD}:
        before = scheduler.settings.get(name)
        if name in settings:
            settings[name] = if_it_runs(f"its {name}", before, settings[name], scope)
        elif UNREAD in settings:
            unread = settings[UNREAD]
            settings[name] = model.UnknownValue(unread.text, unread.why, before)
    scheduler.settings |= settings


def _job_by_id(call: Call, scheduler: model.Scheduler) -> model.JobHandle | None:
    wanted = call.args[0] if call.args else call.kwargs.get("job_id")
    if isinstance(wanted, model.JobHandle):
        return wanted
    jobs = [job for job in scheduler.calls if is_plain(wanted) and job.arguments.get("id") == wanted]
    return model.JobHandle(jobs[0], scheduler) if wanted is not None and len(jobs) == 1 else None


def change_job(job: model.JobHandle, change: str, args: list[Value], call: Call, scope: Scope) -> model.JobHandle:
    """Change a job after it was added: it runs as it is when the scheduler starts."""
    scope.reading.source.applied.add(call.node.lineno)
    changes = {key: value for key, value in call.kwargs.items() if key not in {"job_id", "jobstore"}}
    added = job.call
    if scope.undecided:
        added.doubt = added.doubt or f"{change}() is left out, because it is called only {scope.undecided.when}"
    elif change == "remove":
        job.scheduler.calls = [other for other in job.scheduler.calls if other is not added]
    elif change == "pause":
        added.arguments["next_run_time"] = None
    elif change == "resume":
        added.arguments.pop("next_run_time", None)
    elif change == "modify":
        added.arguments |= changes
    else:
        added.arguments = {key: value for key, value in added.arguments.items() if key in vocabulary.ADD_JOB}
        added.arguments |= ({"trigger": args[0]} if args else {}) | changes
    return job
