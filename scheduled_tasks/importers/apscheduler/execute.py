"""Has a clock file run under a recording scheduler, because its owner asked for that, and reads what was recorded.

In comes a file; out come `Scheduler`s with `AddJobCall`s, as reading it gives them, with every value decided. See
`recording`, which is what runs, in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.importers.apscheduler.values import (
    AddJobCall,
    LocalFunction,
    Partial,
    Reference,
    Scheduler,
    TriggerObject,
    UnknownValue,
    Value,
    WebApplication,
)
from scheduled_tasks.importers.apscheduler.vocabulary import ADD_JOB

if TYPE_CHECKING:
    from scheduled_tasks.importers.apscheduler.values import ClockSource

LONGEST = 60  # seconds; a file that takes longer waits for something


def record(path: Path, source: ClockSource, timezone: str) -> list[Scheduler]:
    """Runs the file, on a host in that zone, and gives the schedulers it made.

    Raises:
        ConfigurationError: the file raises, or doesn't come to an end.
    """
    command = [sys.executable, "-P", str(Path(__file__).with_name("recording.py")), str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST,
                              env=os.environ | ({"TZ": timezone} if timezone else {}))  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"{path}: run with --execute, it didn't end within {LONGEST} s") from None
    try:
        recorded = json.loads(done.stdout)
    except ValueError:
        raise ConfigurationError(f"{path}: run with --execute, it left nothing: {done.stderr.strip()[-500:]}") from None
    if recorded["error"]:
        raise ConfigurationError(f"{path}: run with --execute, it raises {recorded['error']}")
    return [_scheduler(each, source) for each in recorded["schedulers"]]


def _scheduler(recorded: dict[str, Any], source: ClockSource) -> Scheduler:
    settings = {key: _value(value, source) for key, value in recorded["settings"].items()}
    defaults = {key.partition(".")[2]: settings.pop(key) for key in list(settings) if key.startswith("job_defaults.")}
    if defaults:
        settings["job_defaults"] = defaults
    name = recorded.get("name", "scheduler")
    return Scheduler(
        recorded["kind"], recorded["line"], name=name, settings=settings,
        calls=[_call(each, source) for each in recorded["jobs"] if "removed" not in each],
    )  # fmt: skip


def _call(recorded: dict[str, Any], source: ClockSource) -> AddJobCall:
    given = [recorded["func"], recorded["trigger"], *recorded["args"]]
    values = [_value(each, source) for each in given]
    arguments = dict(zip(ADD_JOB, values, strict=False))
    arguments |= {key: _value(each, source) for key, each in recorded["more"].items()}
    if arguments["trigger"] is None:
        del arguments["trigger"]
    if "rescheduled" in recorded:
        arguments = {name: value for name, value in arguments.items() if name in ADD_JOB}
    for name in ("args", "kwargs", "id", "name", "jobstore", "executor"):  # scheduled_job passes its defaults on
        if name in arguments and (arguments[name] is None or arguments[name] == "default"):
            del arguments[name]
    lines = source.text.splitlines()
    line = recorded["line"]
    call = AddJobCall(line, lines[line - 1].strip() if line else "", arguments)
    if not recorded.get("refused"):
        return call
    # Of a function that was called in place of being passed only its writing is left.
    as_written = [each for scheduler in source.schedulers for each in scheduler.calls if each.line == line]
    if arguments["func"] is None and len(as_written) == 1:
        arguments["func"] = as_written[0].arguments.get("func")
    return replace(call, refused=recorded["refused"])


def _value(recorded: dict[str, Any], source: ClockSource) -> Value:  # noqa: C901, PLR0911 - a table of cases
    if "plain" in recorded:
        return recorded["plain"]
    if "list" in recorded:
        return [_value(each, source) for each in recorded["list"]]
    if "dict" in recorded:
        return {_value(key, source): _value(each, source) for key, each in recorded["dict"]}
    if "datetime" in recorded:
        return datetime.fromisoformat(recorded["datetime"])
    if "date" in recorded:
        return date.fromisoformat(recorded["date"])
    if "partial" in recorded:
        kwargs = _value(recorded["kwargs"], source)
        return Partial(
            _value(recorded["partial"], source), tuple(_value(recorded["args"], source)), tuple(kwargs.items())
        )
    if "trigger" in recorded:
        if "parts" in recorded:
            return TriggerObject(recorded["trigger"], parts=tuple(_value(each, source) for each in recorded["parts"]))
        fields = {key: _value(each, source) for key, each in recorded["fields"].items()}
        return TriggerObject(recorded["trigger"], fields | {"timezone": _value(recorded["zone"], source)})
    if "application" in recorded:
        return WebApplication(recorded["application"])
    if "function" in recorded:
        module, _, name = recorded["function"].partition(".<locals>.")[0].rpartition(".")
        if "<locals>" in recorded["function"] or "<lambda>" in recorded["function"]:
            return LocalFunction(recorded["function"].rpartition(".")[2], nested=True)
        return (
            source.functions.get(name, LocalFunction(name)) if module == "__main__" else Reference(f"{module}.{name}")
        )
    return UnknownValue(recorded["unknown"], "an object that only exists in a running process")
