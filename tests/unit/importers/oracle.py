"""Ask APScheduler itself about a clock file: run it with schedulers that don't start, and print each job's runs.

Unlike `--execute`, this asks APScheduler's own job objects, after it has judged the calls. A call that it refuses is
printed with its error. `python oracle.py FILE NOW`. Libraries that are not installed (a GUI's, a job store's) are
mocked: none of them affects when a job runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import socketserver
import sys
import time
import types
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.combining import AndTrigger

RUNS = 100
MOCKED = {
    "bson", "dotenv", "etcd3", "fastapi", "gevent", "kazoo", "PySide6", "pymongo", "redis", "rethinkdb", "rpyc",
    "sentry_sdk", "tornado", "twisted",
}  # fmt: skip


class WouldWait(BaseException):
    pass


class MockFinder(MetaPathFinder, Loader):
    """Mock modules of libraries, even if one is installed: it may need another one that is mocked."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname.partition(".")[0] in MOCKED else None

    def create_module(self, spec: ModuleSpec) -> Any:
        return MagicMock(__spec__=spec, __path__=[], __name__=spec.name)

    def exec_module(self, module: object) -> None:
        pass


def main() -> None:
    file, now = os.path.realpath(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
    entries: list[dict[str, Any]] = []
    out = os.fdopen(os.dup(1), "w")  # the output of the file itself goes to standard error
    os.dup2(2, 1)
    add_job = BaseScheduler.add_job

    def adding(self: Any, *args: Any, **kwargs: Any) -> Any:
        frame: Any = sys._getframe(1)
        while frame.f_code.co_filename != file or isinstance(frame.f_locals.get("self"), BaseScheduler):
            frame = frame.f_back
        entry: dict[str, Any] = {"line": frame.f_lineno, "zone": str(self.timezone)}
        entries.append(entry)
        try:
            job = add_job(self, *args, **kwargs)
        except (TypeError, ValueError, LookupError) as error:
            entry["refused"] = str(error)
            return None
        entry["job"] = job
        return job

    def waits(*_args: object, **_kwargs: object) -> None:
        raise WouldWait

    BaseScheduler.add_job = adding
    for kind in (AsyncIOScheduler, BackgroundScheduler):
        kind.start = lambda *_args, **_kwargs: None
        kind.shutdown = lambda *_args, **_kwargs: None
    BlockingScheduler.start = waits
    time.sleep = waits
    socketserver.BaseServer.serve_forever = waits  # type: ignore[method-assign]
    asyncio.sleep = waits  # type: ignore[assignment]
    run_forever = asyncio.BaseEventLoop.run_forever

    def until_complete(loop: Any, future: Any) -> Any:
        asyncio.BaseEventLoop.run_forever = run_forever  # type: ignore[method-assign]
        asyncio.ensure_future(future, loop=loop).add_done_callback(lambda _: loop.stop())
        loop.call_later(1, loop.stop)  # it waits forever
        loop.run_forever()
        raise WouldWait

    asyncio.BaseEventLoop.run_forever = waits  # type: ignore[method-assign]
    asyncio.BaseEventLoop.run_until_complete = until_complete  # type: ignore[method-assign, assignment]
    sys.meta_path.insert(0, MockFinder())
    sys.path.insert(0, str(Path(file).parent))
    sys.argv = [file]
    module = types.ModuleType("__main__")
    module.__file__ = file
    sys.modules["__main__"] = module
    with suppress(WouldWait, SystemExit):
        exec(compile(Path(file).read_bytes(), file, "exec"), module.__dict__)
    for entry in entries:  # each job as it would be when the scheduler starts
        if job := entry.pop("job", None):
            entry["removed"] = job._scheduler.get_job(job.id) is None
            # An AndTrigger searches second by second, which takes most of a minute; no such job is imported.
            entry["runs"] = [] if isinstance(job.trigger, AndTrigger) else runs(job.trigger, now)
    json.dump([entry for entry in entries if not entry.get("removed")], out)
    out.flush()
    os._exit(0)


def runs(trigger: Any, now: datetime) -> list[str]:
    if hasattr(trigger, "jitter"):
        trigger.jitter = None  # random each time: compare the times without it
    now += timedelta(microseconds=1)  # strictly after, as this project counts
    at = None
    times: list[str] = []
    while True:
        at = trigger.get_next_fire_time(at, at or now)
        if at is None or len(times) == RUNS:
            return times
        times.append(at.astimezone(UTC).isoformat())


main()
