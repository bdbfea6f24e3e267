"""run-task: runs one task once, as the service of a job does and as a person does by hand.

settings → log → find the task → record and flag → context → task → record. Standard output carries the log
lines alone; whatever becomes of the task, its `started` line gets exactly one end line.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from scheduled_tasks.errors import (
    ConfigurationError,
    ScheduledTasksError,
    ServiceUnavailableError,
    UsageError,
)
from scheduled_tasks.run import arguments, current, log, nominal, settings
from scheduled_tasks.run.context import application_factory
from scheduled_tasks.run.current import Run, Stopped
from scheduled_tasks.run.find_task import find_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

logger = logging.getLogger("scheduled_tasks.run")  # not __name__: the module may be __main__


class End(NamedTuple):
    """How a run ended: its end line, its row and its exit code are made of this."""

    status: str
    exit_code: int = 0
    reason: str = ""
    exc_info: log.ExcInfo | None = None


def main(argv: list[str] | None = None) -> int:
    """Runs a task; returns the exit code, see the contract in docs/run-task.md."""
    try:
        asked = arguments.parse(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        sys.stderr.write(f"run-task: {error}\n{arguments.USAGE}")
        return error.exit_code
    if asked is None:
        sys.stdout.write(arguments.USAGE)
        return 0
    run = Run(task=asked.task, name=asked.task.rpartition(".")[2], clock=asked.clock, job=asked.job)
    log.take_over_stdout(host=run.host)
    current.current = run
    try:
        configuration = settings.load()
        configuration.make_importable()
        factory = application_factory(configuration.get("app"))

        def make_app() -> object:
            with log.keep_logging():
                return factory()

        task = find_task(asked.task, configuration.require("domains"), make_app)
        call = arguments.bind(task, asked, make_app)
        if asked.schedule is not None:
            nominal.find_nominal_time(run, asked.schedule)
    except ScheduledTasksError as error:
        return _could_not_start(run, error)
    return _run(run, task, call, asked.grace)


def _could_not_start(run: Run, error: ScheduledTasksError) -> int:
    """A run that can't even start is a failed one in the log, and a sentence for the person at the terminal."""
    log.announce(run.name, "failed", logging.ERROR, reason=str(error), exit_code=error.exit_code)
    if not log.writes_to_journal(2):
        sys.stderr.write(f"run-task: {error}\n")
    return error.exit_code


def _run(run: Run, task: Callable[..., Any], call: arguments.Call, grace: float | None) -> int:
    feature = getattr(task, "__cron_feature__", None)
    run.feature = feature.name if feature is not None else ""
    _take_signals(run)  # before the line: a signal that comes right after it must not take the end line away
    log.announce(run.name, "started", logging.INFO)
    try:
        try:
            run.let_stop()
            _open(run, feature)
            late = nominal.too_late(run, grace)
            inactive = f"feature {run.feature} is not active" if run.is_active is False else ""
            if late or inactive:
                end = End("skipped", reason=late or inactive)
            else:
                call(task)
                end = End("ended")
        finally:
            run.stoppable = False
    except SystemExit as error:
        end = End("ended") if error.code in (None, 0) else _failed(error, f"sys.exit({log.text_of(error.code, repr)})")
    except Stopped as error:
        end = _failed(error, "")
    except BaseException as error:  # noqa: BLE001 - whatever it is, the run gets its end line
        end = _failed(error, str(error) if isinstance(error, ScheduledTasksError) else "")
    if run.stopped_by:  # also where the task swallowed it
        reason = f"stopped by {signal.Signals(run.stopped_by).name}"
        end = End("failed", 128 + run.stopped_by, reason, end.exc_info)
    if os.getpid() != run.pid:  # a child that the task forked came back up here: the run is its parent's
        if end.exc_info:
            logger.error("a child that the task forked failed", exc_info=end.exc_info)
        sys.stdout.flush()
        os._exit(end.exit_code)
    _say(run, end)
    if run.recorded:
        _close(run, end)
    return end.exit_code


def _open(run: Run, feature: Any) -> None:
    """Opens the record and reads the flag. Without a flag the task runs even where it can't be recorded."""
    from scheduled_tasks.run import flags, record  # psycopg after the started line: a fault gets an end

    try:
        state = record.open_run(run)
    except (ServiceUnavailableError, ConfigurationError) as error:
        if feature is not None:
            raise
        logger.warning("this run is not recorded: %s", error)
        return
    run.recorded = True
    if feature is not None:
        run.is_active = flags.resolve(feature, state)


def _close(run: Run, end: End) -> None:
    from scheduled_tasks.run import record

    error = end.exc_info[1] if end.exc_info else None
    try:
        record.close_run(
            run,
            status=end.status,
            exit_code=end.exit_code,
            error_type=type(error).__name__ if error is not None else "",
            error_message=end.reason or (log.text_of(error) if error is not None else ""),
        )
    except ScheduledTasksError as problem:
        logger.warning("the end of this run is not recorded: %s", problem)


def _say(run: Run, end: End) -> None:
    fields: dict[str, object] = {"duration": run.duration}
    known = {"feature": run.feature, "reason": end.reason, "exit_code": end.exit_code}
    fields |= {key: value for key, value in known.items() if value}
    level = logging.ERROR if end.status == "failed" else logging.INFO
    log.announce(run.name, end.status, level, end.exc_info, **fields)


def _failed(error: BaseException, reason: str) -> End:
    exit_code = error.exit_code if isinstance(error, ScheduledTasksError) else 1
    return End("failed", exit_code, reason, (type(error), error, error.__traceback__))


def _take_signals(run: Run) -> None:
    def stop(signum: int, _frame: FrameType | None) -> None:
        if os.getpid() == run.pid:
            run.stop(signum)
        else:  # a child that the task forked: it dies of a signal as any process does
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup and a shell's & mean it
            signal.signal(signum, stop)


def entry() -> NoReturn:
    """The console script: exits with `main`'s code."""
    code = main()
    try:
        sys.stdout.flush()
    except (OSError, ValueError):  # the task closed it under what it had printed; Python would exit with 120 for that
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


if __name__ == "__main__":
    entry()
