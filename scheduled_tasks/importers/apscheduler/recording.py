"""Run a clock file under a recording scheduler: the process that `clocks import apscheduler --execute` starts.

`python -P recording.py FILE [FUNCTION…]` runs FILE as its owner does, then calls its FUNCTIONs, with each scheduler's
`start` doing nothing, and prints what was added as one JSON object. Whatever would wait forever (a blocking start, a
sleep, an event loop) ends the run.
It runs with the project's own interpreter and modules, so it imports nothing of scheduled_tasks.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
import signal
import socketserver
import sys
import time
import traceback
import types
from datetime import date, datetime
from pathlib import Path
from typing import Any


class Over(BaseException):
    """The file would wait from here on: by then it has added all of its jobs."""


schedulers: dict[int, dict[str, Any]] = {}
kept: list[Any] = []  # so that no two schedulers share an id
added: list[tuple[dict[str, Any], Any, Any]] = []  # job, APScheduler's own, and its trigger when it was added
FILE = ""
COROUTINE_TIMEOUT = 2  # seconds, for a coroutine that waits for something other than time


def over(*_args: object, **_kwargs: object) -> Any:
    """End the run of the file."""
    raise Over


def line_in_file() -> int:
    """The line of the file that led here; 0 if none did."""
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - the way to a caller's line
    while frame is not None:
        # The file's own scheduler class may have its own add_job: the line that calls that one counts.
        if frame.f_code.co_filename == FILE and not hasattr(frame.f_locals.get("self"), "_pending_jobs"):
            return frame.f_lineno
        frame = frame.f_back
    return 0


def described(value: Any) -> Any:  # noqa: C901, PLR0911 - a table of cases
    """A value as JSON: {"plain": …}, or a description of an object."""
    if repr(value) == "<undefined>":  # APScheduler's own, for what a call doesn't give
        return {"undefined": True}
    if value is None or isinstance(value, bool | int | float | str):
        return {"plain": value}
    if isinstance(value, list | tuple):
        return {"list": [described(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[described(key), described(item)] for key, item in value.items()]}
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, functools.partial):
        return {"partial": described(value.func), "args": described(value.args), "kwargs": described(value.keywords)}
    kind = type(value).__name__
    if kind in {"CronTrigger", "IntervalTrigger", "DateTrigger"}:
        return trigger(value, kind)
    if kind in {"OrTrigger", "AndTrigger"}:
        return {"trigger": kind[:-7].lower(), "parts": [described(part) for part in value.triggers]}
    if zone := getattr(value, "key", None) or getattr(value, "zone", None):
        return {"plain": str(zone)}
    if hasattr(value, "app_context"):
        return {"application": kind}
    if callable(value) and hasattr(value, "__qualname__") and getattr(value, "__self__", None) is None:
        code = getattr(inspect.unwrap(value), "__code__", None)
        line = code.co_firstlineno if code is not None else 0
        return {"function": f"{value.__module__}.{value.__qualname__}", "line": line}
    return {"unknown": repr(value)[:120]}


def trigger(value: Any, kind: str) -> dict[str, Any]:
    """An APScheduler trigger by its fields."""
    if kind == "CronTrigger":
        fields = {field.name: described(str(field)) for field in value.fields if not field.is_default}
        lowest = list(fields)[-1:]
        fields = {name: text for name, text in fields.items() if name in lowest or text["plain"] != "*"}
    elif kind == "IntervalTrigger":
        # Without start_date the object counts from now, to the microsecond: the file's author gave no such date.
        seconds = value.interval.total_seconds()
        fields = {"seconds": described(int(seconds) if seconds == int(seconds) else seconds)}
    else:
        fields = {"run_date": described(value.run_date.replace(tzinfo=None))}
    for name in ("start_date", "end_date", "jitter"):
        setting = getattr(value, name, None)
        if setting is not None and not (name == "start_date" and setting.microsecond):
            fields[name] = described(setting.replace(tzinfo=None) if isinstance(setting, datetime) else setting)
    zone = value.run_date.tzinfo if kind == "DateTrigger" else value.timezone
    return {"trigger": kind[:-7].lower(), "fields": fields, "zone": described(zone)}


def record_into(base: Any) -> None:
    """Make APScheduler's base class record the settings and jobs that it gets."""
    configure, add_job = base.configure, base.add_job

    def recorded(self: Any) -> dict[str, Any]:
        if id(self) not in schedulers:
            kept.append(self)
            schedulers[id(self)] = {"kind": type(self).__name__, "line": line_in_file(), "settings": {}, "jobs": []}
        return schedulers[id(self)]

    def recording_configure(self: Any, gconfig: Any = None, prefix: str = "apscheduler.", **options: Any) -> None:
        given = {str(key).removeprefix(prefix): value for key, value in (gconfig or {}).items()} | options
        recorded(self)["settings"] |= {key: described(value) for key, value in given.items()}
        configure(self, gconfig or {}, prefix, **options)

    def recording_add_job(self: Any, func: Any, trigger: Any = None, *args: Any, **more: Any) -> Any:
        job = {
            "line": line_in_file(), "func": described(func), "trigger": described(trigger),
            "args": [described(arg) for arg in args], "more": {key: described(value) for key, value in more.items()},
        }  # fmt: skip
        recorded(self)["jobs"].append(job)
        try:
            made = add_job(self, func, trigger, *args, **more)
        except Exception as error:  # noqa: BLE001 - the clock would end here; record the jobs after it as well
            job["refused"] = f"{type(error).__name__}: {error}"
            return None
        added.append((job, made, described(made.trigger)))
        return made

    base.configure, base.add_job = recording_configure, recording_add_job


def record_changes() -> None:
    """Record each job as it is when the scheduler starts: the file may have changed or removed it."""
    for job, made, trigger in added:
        if made._scheduler.get_job(made.id) is None:  # noqa: SLF001 - no public attribute has it
            job["removed"] = True
        if described(made.trigger) != trigger:
            job["trigger"], job["rescheduled"] = described(made.trigger), True
        for name in ("args", "kwargs", "max_instances", "misfire_grace_time", "coalesce"):
            if name in job["more"]:
                job["more"][name] = described(getattr(made, name))
        if getattr(made, "next_run_time", ...) is None:
            job["more"]["next_run_time"] = described(None)


def prevent_waiting() -> None:
    """Make whatever runs forever or sleeps end the run of the file."""
    from apscheduler.schedulers import base
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.schedulers.blocking import BlockingScheduler

    record_into(base.BaseScheduler)
    base.BaseScheduler.start = lambda *_args, **_kwargs: None
    BackgroundScheduler.start = lambda *_args, **_kwargs: None
    BlockingScheduler.start = over
    base.BaseScheduler.shutdown = lambda *_args, **_kwargs: None
    time.sleep = over
    signal.pause = over
    socketserver.BaseServer.serve_forever = over  # type: ignore[method-assign]
    asyncio.sleep = over
    run_coroutines_until_they_wait()


def run_coroutines_until_they_wait() -> None:
    """`asyncio.run(main())` can be what adds the jobs; a loop that runs forever ends the run of the file."""
    run_forever, run_until_complete = asyncio.BaseEventLoop.run_forever, asyncio.BaseEventLoop.run_until_complete

    def running(loop: Any, future: Any) -> Any:
        asyncio.BaseEventLoop.run_forever = run_forever  # type: ignore[method-assign]
        stop = loop.call_later(COROUTINE_TIMEOUT, loop.stop)
        try:
            return run_until_complete(loop, future)
        except RuntimeError as error:
            if "stopped before" in str(error):
                raise Over from None
            raise
        finally:
            stop.cancel()
            asyncio.BaseEventLoop.run_forever = over  # type: ignore[method-assign]

    asyncio.BaseEventLoop.run_forever = over  # type: ignore[method-assign]
    asyncio.BaseEventLoop.run_until_complete = running  # type: ignore[method-assign, assignment]


def call(name: str, names: dict[str, Any]) -> None:
    """Call a function that adds jobs, as whoever calls it does; a coroutine is run."""
    if name not in names:
        raise LookupError(f"there is no function {name}")
    result = names[name]()
    if asyncio.iscoroutine(result):
        asyncio.run(result)


def main() -> None:
    """Run the file and print the recording on standard output, which the file itself doesn't get."""
    global FILE  # noqa: PLW0603 - one process records one file
    FILE = os.path.realpath(sys.argv[1])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path[:0] = [str(Path(FILE).parent), str(Path.cwd())]
    prevent_waiting()
    module = types.ModuleType("__main__")
    module.__file__ = FILE
    sys.modules["__main__"] = module
    called, sys.argv = sys.argv[2:], sys.argv[1:2]
    error = ""
    try:
        exec(compile(Path(FILE).read_bytes(), FILE, "exec"), module.__dict__)  # noqa: S102 - its owner asked for it
        for name in called:
            call(name, module.__dict__)
    except (Over, SystemExit, KeyboardInterrupt):
        pass
    except BaseException as raised:  # noqa: BLE001 - the file's own error is part of the answer
        traceback.print_exc()
        error = f"{type(raised).__name__}: {raised}"
    for name, value in list(vars(module).items()):
        if id(value) in schedulers and "name" not in schedulers[id(value)]:
            schedulers[id(value)]["name"] = name
    record_changes()
    json.dump({"schedulers": list(schedulers.values()), "error": error}, out)
    out.flush()
    os._exit(0)  # threads and exit handlers of the file don't run


if __name__ == "__main__":
    main()
