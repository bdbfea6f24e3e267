"""The names that the importer recognises: APScheduler, time zones, web applications and harmless Python functions."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from scheduled_tasks.importers.apscheduler.model import (
    ONLY_A_RUN,
    Scheduler,
    UnknownValue,
    Value,
    WebApplication,
    written,
)

PREFIX = "apscheduler."
UNREAD = "**"  # among the keywords of a call: those that could not be read

ADD_JOB = (
    "func", "trigger", "args", "kwargs", "id", "name", "misfire_grace_time", "coalesce", "max_instances",
    "next_run_time", "jobstore", "executor", "replace_existing",
)  # fmt: skip
SCHEDULED_JOB = tuple(name for name in ADD_JOB if name not in {"func", "replace_existing"})
ADDS = {"add_job": ADD_JOB, "scheduled_job": SCHEDULED_JOB}
# Flask-APScheduler's: its decorator is `task`, and its add_job takes the id first.
FLASK = "flask_apscheduler.APScheduler"
FLASK_ADDS = ADDS | {"add_job": ("id", "func", *ADD_JOB[1:]), "task": ("trigger", "id")}
# Methods without a counterpart here, with the note in the report; None if there is nothing to report.
SCHEDULER_METHODS = {
    "start": None, "shutdown": None, "configure": None, "print_jobs": None, "init_app": None,
    "add_listener": "an event listener has no counterpart: a failed run is in the log, the table and the unit's state",
    "add_jobstore": "there is no job store: the timers keep what is due",
    "add_executor": "there are no executors: each run is its own process",
}  # fmt: skip
# Methods of APScheduler 2 and 4 that APScheduler 3 doesn't have.
OTHER_VERSIONS = {
    "add_cron_job": 2, "add_interval_job": 2, "add_date_job": 2, "cron_schedule": 2, "interval_schedule": 2,
    "unschedule_job": 2, "unschedule_func": 2, "add_schedule": 4, "configure_task": 4,
}  # fmt: skip
# Schedulers of libraries, with the zone that they have unless the application's configuration gives another.
LIBRARY_ZONES = {"nonebot_plugin_apscheduler.scheduler": "Asia/Shanghai"}
ENDS = {"sys.exit", "exit", "quit", "os._exit"}
ENVIRONMENT = ("os.environ", "os.getenv", "environ", "decouple.config", "env")
APPLICATION_NAMES = {"app", "application", "flask_app", "current_app"}
FACTORIES = ("Flask", "create_app", "make_app", "create_application", "FastAPI", "get_wsgi_application")
ZONE_MAKERS = ("pytz.timezone", "zoneinfo.ZoneInfo", "dateutil.tz.gettz", "backports.zoneinfo.ZoneInfo", "tz.gettz")
ZONES = {"pytz.utc": "UTC", "pytz.UTC": "UTC", "datetime.timezone.utc": "UTC", "datetime.UTC": "UTC"}
TRIGGERS = {"CronTrigger": "cron", "IntervalTrigger": "interval", "DateTrigger": "date"}
COMBINED = {"OrTrigger": "or", "AndTrigger": "and"}
# Positional parameters of APScheduler's triggers, in their order.
POSITIONAL = {
    "cron": ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second", "start_date", "end_date",
             "timezone", "jitter"),
    "interval": ("weeks", "days", "hours", "minutes", "seconds", "start_date", "end_date", "timezone", "jitter"),
    "date": ("run_date", "timezone"),
}  # fmt: skip
OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.BitOr: operator.or_,
    ast.In: lambda left, right: left in right, ast.NotIn: lambda left, right: left not in right,
    ast.Is: operator.is_, ast.IsNot: operator.is_not, ast.Not: operator.not_, ast.USub: operator.neg,
}  # fmt: skip
PYTHON_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "int": int, "str": str, "float": float, "bool": bool, "len": len, "list": list, "tuple": tuple, "dict": dict,
    "set": set, "sorted": sorted, "min": min, "max": max, "sum": sum, "abs": abs,
    "range": lambda *args: list(range(*args)[:100_000]),
    "enumerate": lambda *args, **more: [list(pair) for pair in enumerate(*args, **more)],
    "zip": lambda *args, **_more: [list(items) for items in zip(*args, strict=False)],
    "datetime.datetime": datetime, "datetime.date": date, "datetime.timedelta": timedelta, "datetime.time": time,
    "datetime.datetime.fromisoformat": datetime.fromisoformat, "datetime.datetime.combine": datetime.combine,
}  # fmt: skip
READING_METHODS = {
    "items", "keys", "values", "get", "format", "lower", "upper", "strip", "split", "join", "replace", "copy",
}  # fmt: skip
CHANGING_METHODS = {
    "append", "extend", "insert", "update", "add", "setdefault", "pop", "remove", "clear", "sort", "reverse", "discard",
}  # fmt: skip
CONTAINERS = {"list", "tuple", "dict", "enumerate", "zip", "len"}  # keep unknown values as items


def settings_of(args: list[Value], kwargs: dict[str, Value]) -> dict[str, Value]:
    """A scheduler's settings by name, without the prefix of 'apscheduler.timezone'; job_defaults as one dictionary.

    UNREAD is a setting if some of them could not be read: an unknown value, with the reason.
    """
    settings: dict[str, Value] = {}
    for options in (*args, kwargs.get("gconfig"), kwargs.get(UNREAD)):
        if isinstance(options, dict):
            settings |= {str(key).removeprefix("apscheduler."): value for key, value in options.items()}
        elif options is not None and not isinstance(options, WebApplication | Scheduler):
            settings[UNREAD] = (
                options if isinstance(options, UnknownValue) else UnknownValue(written(options), ONLY_A_RUN)
            )
    if kwargs.get("prefix", PREFIX) != PREFIX:
        settings[UNREAD] = UnknownValue(f"prefix={written(kwargs['prefix'])}", "options with a prefix of their own")
    settings |= {key: value for key, value in kwargs.items() if key not in {"gconfig", "prefix", UNREAD}}
    defaults = {key.partition(".")[2]: settings.pop(key) for key in list(settings) if key.startswith("job_defaults.")}
    if defaults:
        settings["job_defaults"] = defaults
    return settings


def adds(function: ast.expr) -> str:
    """The name of the method if an expression is a method that adds jobs, otherwise ""."""
    return function.attr if isinstance(function, ast.Attribute) and function.attr in ADDS else ""
