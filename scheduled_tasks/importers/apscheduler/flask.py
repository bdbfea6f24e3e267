"""Flask-APScheduler: its zone, its jobs' defaults and a list of jobs can come from the application's configuration.

The configuration is known only if the file makes the application itself and reading understands all that fills it.
"""

from __future__ import annotations

import ast

from scheduled_tasks.importers.apscheduler import model
from scheduled_tasks.importers.apscheduler.model import Value
from scheduled_tasks.importers.apscheduler.scope import Call, Scope
from scheduled_tasks.importers.apscheduler.vocabulary import UNREAD

SETTINGS = {"SCHEDULER_TIMEZONE": "timezone", "SCHEDULER_JOB_DEFAULTS": "job_defaults"}
ELSEWHERE = "the application's configuration, which is made elsewhere"


def config_call(call: Call, config: model.AppConfig, scope: Scope) -> Value:
    """Call a method of `app.config`: it fills the configuration, or makes it unknown."""
    method, given = call.method, call.args[0] if call.args else None
    if scope.undecided and method not in {"get", "keys", "items"}:
        config.unread = f"{scope.undecided.on}, on which the application's configuration depends"
    elif method == "from_object":
        _fill(config, _attributes(given, scope), call.node)
    elif method in {"update", "from_mapping"}:
        given = given if call.args else {}
        _fill(config, given | call.kwargs if isinstance(given, dict) else None, call.node)
    elif method == "get" and given in config.values:
        return config.values[given]
    elif method not in {"get", "setdefault", "keys", "items"}:
        config.unread = ast.unparse(call.node)
    return model.unknown(call.node, config.unread or ELSEWHERE)


def _fill(config: model.AppConfig, values: dict[str, Value] | None, node: ast.Call) -> None:
    if values is None:
        config.unread = ast.unparse(node)
    else:
        config.values |= {key: value for key, value in values.items() if str(key).isupper()}


def _attributes(given: Value, scope: Scope) -> dict[str, Value] | None:
    """The attributes of a class, an object or a module, also by its dotted name; None if they aren't known."""
    if isinstance(given, model.Reference | str):
        dotted = given if isinstance(given, str) else given.dotted
        given = scope.reading.own.find_class(dotted) or scope.names.get(dotted.rpartition(".")[2])
        if not isinstance(given, model.LocalClass | model.Instance):
            return scope.reading.own.module_names(dotted)
    return given.known() if isinstance(given, model.LocalClass | model.Instance) else None


def init_app(scheduler: model.Scheduler, application: Value, call: Call, scope: Scope) -> None:
    """Give a scheduler what its application's configuration says; its settings are unread if that isn't known."""
    scheduler.unread = ""
    config = application.config if isinstance(application, model.WebApplication) else None
    if config is None or config.unread:
        unread = model.UnknownValue("SCHEDULER_TIMEZONE", config.unread if config else ELSEWHERE)
        scheduler.settings[UNREAD] = unread
        return
    for name, setting in SETTINGS.items():
        if config.values.get(name) is not None:
            scheduler.settings[setting] = config.values[name]
    jobs = config.values.get("JOBS", [])
    line, source = call.node.lineno, scope.reading.source.line(call.node.lineno)
    if not scope.reading.is_clock:
        return
    for job in jobs if isinstance(jobs, list | tuple) else [jobs]:
        scheduler.calls.append(_listed_job(job, line, source))


def _listed_job(job: Value, line: int, source: str) -> model.AddJobCall:
    """A job of the configuration's list JOBS."""
    if not isinstance(job, dict):
        return model.AddJobCall(line, source, {}, problem=f"JOBS: {model.why_unknown(job) or 'not a dictionary'}")
    arguments = {key: value for key, value in job.items() if key != "trigger"}
    trigger = job.get("trigger")
    if isinstance(trigger, dict):
        arguments |= {"trigger": trigger.get("type")} | {key: value for key, value in trigger.items() if key != "type"}
    elif trigger is not None:
        arguments["trigger"] = trigger
    return model.AddJobCall(line, source, arguments)
