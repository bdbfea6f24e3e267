"""Run a clock file under a recording scheduler, because its owner asked for that, and read what was recorded.

The result is the same as from reading the file, `Scheduler`s with `AddJobCall`s, but every value is known. `recording`
is the program that runs it, in a process of its own.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.importers.apscheduler import model
from scheduled_tasks.importers.apscheduler.model import Value
from scheduled_tasks.importers.apscheduler.source import Aside, ClockSource
from scheduled_tasks.importers.apscheduler.vocabulary import ADD_JOB, settings_of

TIMEOUT = 60  # seconds; a file that takes longer waits for something


def record(path: Path, source: ClockSource, timezone: str, calls: tuple[str, ...]) -> list[model.Scheduler]:
    """Run the file, as on a host in that zone, call some of its functions, and return the schedulers that it made.

    What reading found and the run didn't add is kept: a function that nobody called is imported as read.

    Raises:
        ConfigurationError: the file raises, or doesn't end.
    """
    command = [sys.executable, "-P", str(Path(__file__).with_name("recording.py")), str(path), *calls]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT,
                              env=os.environ | ({"TZ": timezone} if timezone else {}))  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"{path}: run with --execute, it didn't end within {TIMEOUT} s") from None
    try:
        recorded = json.loads(done.stdout)
    except ValueError:
        problem = f"it left no recording: {done.stderr.strip()[-500:]}"
        raise ConfigurationError(f"{path}: run with --execute, {problem}") from None
    if recorded["error"]:
        raise ConfigurationError(f"{path}: run with --execute, it raises {recorded['error']}")
    schedulers = [_scheduler(scheduler, source) for scheduler in recorded["schedulers"]]
    added = {job["line"] for scheduler in recorded["schedulers"] for job in scheduler["jobs"]}
    return [*schedulers, *_not_added(source, added, [scheduler for scheduler in schedulers if scheduler.calls])]


def _not_added(source: ClockSource, added: set[int], recorded: list[model.Scheduler]) -> list[model.Scheduler]:
    """What reading found on lines that added nothing in the run: jobs of functions that nobody called, as read.

    What the run decided against is mentioned.
    """
    left = []
    for scheduler in source.schedulers:
        calls = [call for call in scheduler.calls if call.line not in added]
        for call in calls:
            if not call.uncalled:
                text = f"the run didn't add it: {call.undecided or call.doubt or 'its line did not run'}"
                source.asides.append(Aside(call.line, call.source, text))
        if uncalled := [call for call in calls if call.uncalled]:
            same = next((other for other in recorded if other.line == scheduler.line), None)
            if same is not None:
                same.calls += uncalled
            else:
                left.append(replace(scheduler, calls=uncalled))
    return left


def _scheduler(recorded: dict[str, Any], source: ClockSource) -> model.Scheduler:
    settings = settings_of([], {key: _value(value, source) for key, value in recorded["settings"].items()})
    read = next((scheduler for scheduler in source.schedulers if scheduler.line == recorded["line"]), None)
    zone = read.settings.get("timezone") if read else None
    if isinstance(zone, model.UnknownValue):  # this run's environment is not that of the hosts
        settings["timezone"] = replace(zone, stand_in=settings.get("timezone", model.UNKNOWN))
    return model.Scheduler(
        recorded["kind"], recorded["line"], name=recorded.get("name", "scheduler"), settings=settings,
        calls=[_call(job, source) for job in recorded["jobs"] if "removed" not in job],
    )  # fmt: skip


def _call(recorded: dict[str, Any], source: ClockSource) -> model.AddJobCall:
    positional = [recorded["func"], recorded["trigger"], *recorded["args"]]
    arguments = {name: _value(value, source) for name, value in zip(ADD_JOB, positional, strict=False)}
    arguments |= {key: _value(value, source) for key, value in recorded["more"].items()}
    arguments = {name: value for name, value in arguments.items() if value is not model.UNKNOWN}
    if arguments["trigger"] is None:
        del arguments["trigger"]
    if "rescheduled" in recorded:
        arguments = {name: value for name, value in arguments.items() if name in ADD_JOB}
    for name in ("args", "kwargs", "id", "name", "jobstore", "executor"):  # scheduled_job passes its defaults on
        if name in arguments and (arguments[name] is None or arguments[name] == "default"):
            del arguments[name]
    line = recorded["line"]
    call = model.AddJobCall(line, source.line(line) if line else "", arguments)
    if not recorded.get("refused"):
        return call
    # A function that was called where it should be passed is known only by how it is written.
    as_written = [other for scheduler in source.schedulers for other in scheduler.calls if other.line == line]
    if arguments["func"] is None and len(as_written) == 1:
        arguments["func"] = as_written[0].arguments.get("func")
    return replace(call, refused=recorded["refused"])


def _function_of(source: ClockSource, name: str, line: int) -> model.LocalFunction:
    """A function of the file, by its name and the first line of its definition: several can have one name."""
    functions = [node for node in source.tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in functions:
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if (node.name, first) == (name, line):
            return model.LocalFunction(name, node)
    return source.functions.get(name, model.LocalFunction(name))


def _value(recorded: dict[str, Any], source: ClockSource) -> Value:  # noqa: C901, PLR0911, PLR0912 - a table of cases
    if "plain" in recorded:
        return recorded["plain"]
    if "undefined" in recorded:
        return model.UNKNOWN
    if "list" in recorded:
        return [_value(value, source) for value in recorded["list"]]
    if "dict" in recorded:
        return {_value(key, source): _value(value, source) for key, value in recorded["dict"]}
    if "datetime" in recorded:
        return datetime.fromisoformat(recorded["datetime"])
    if "date" in recorded:
        return date.fromisoformat(recorded["date"])
    if "partial" in recorded:
        function, args, kwargs = (_value(recorded[part], source) for part in ("partial", "args", "kwargs"))
        return model.Partial(function, tuple(args), tuple(kwargs.items()))
    if "trigger" in recorded:
        if "parts" in recorded:
            parts = tuple(_value(part, source) for part in recorded["parts"])
            return model.TriggerObject(recorded["trigger"], parts=parts)
        fields = {key: _value(value, source) for key, value in recorded["fields"].items()}
        return model.TriggerObject(recorded["trigger"], fields | {"timezone": _value(recorded["zone"], source)})
    if "application" in recorded:
        return model.WebApplication(recorded["application"])
    if "function" in recorded:
        module, _, name = recorded["function"].partition(".<locals>.")[0].rpartition(".")
        if "<locals>" in recorded["function"] or "<lambda>" in recorded["function"]:
            return model.LocalFunction(recorded["function"].rpartition(".")[2], nested=True)
        if module != "__main__":
            return model.Reference(f"{module}.{name}")
        return _function_of(source, name, recorded["line"])
    return model.UnknownValue(recorded["unknown"], "an object that exists only in a running process")
