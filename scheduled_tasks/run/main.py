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
from scheduled_tasks.run import arguments, current, log, settings, slot
from scheduled_tasks.run.context import application_factory
from scheduled_tasks.run.current import Run, Stopped
from scheduled_tasks.run.find_task import find_task
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

logger = logging.getLogger("scheduled_tasks.run")  # not __name__: the module may be __main__


class End(NamedTuple):
    """How a run ended: its end line, its row and its exit code are made of this."""

    status: RunStatus
    exit_code: int = 0
    reason: str = ""
    exc_info: log.ExcInfo | None = None


def main(argv: list[str] | None = None) -> int:
    """Runs a task; returns the exit code, see the contract in docs/reference/exit-codes.md."""
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
        call = arguments.bind(task, asked, make_app, run.time_to_work_for)
        slot.find_slot(run, asked)
    except ScheduledTasksError as error:
        return _could_not_start(run, error)
    return _run(run, task, call, asked)


def _could_not_start(run: Run, error: ScheduledTasksError) -> int:
    """A run that can't even start is a failed one in the log, and a sentence for the person at the terminal."""
    log.announce(run.name, RunStatus.FAILED, logging.ERROR, reason=str(error), exit_code=error.exit_code)
    if not log.writes_to_journal(2):
        sys.stderr.write(f"run-task: {error}\n")
    return error.exit_code


def _run(run: Run, task: Callable[..., Any], call: arguments.Call, asked: arguments.Asked) -> int:
    feature = getattr(task, "__cron_feature__", None)
    run.feature = feature.name if feature is not None else ""
    _take_signals(run)  # before the line: a signal that comes right after it must not take the end line away
    log.announce(run.name, RunStatus.STARTED, logging.INFO)
    try:
        try:
            run.let_stop()
            if skipped := _open(run, task, asked):
                end = End(RunStatus.SKIPPED, reason=skipped)
            else:
                run.has_begun = True
                call(task)
                end = End(RunStatus.ENDED)
        finally:
            run.stoppable = False
    except SystemExit as error:
        if error.code in (None, 0):
            end = End(RunStatus.ENDED)
        else:
            end = _failed(error, f"sys.exit({log.text_of(error.code, repr)})")
    except Stopped as error:
        end = _failed(error, "")
    except BaseException as error:  # noqa: BLE001 - whatever it is, the run gets its end line
        end = _failed(error, str(error) if isinstance(error, ScheduledTasksError) else "")
    if run.stopped_by:  # also where the task swallowed it
        reason = f"stopped by {signal.Signals(run.stopped_by).name}"
        end = End(RunStatus.FAILED, 128 + run.stopped_by, reason, end.exc_info)
    if os.getpid() != run.pid:  # a child that the task forked came back up here: the run is its parent's
        if end.exc_info:
            logger.error("a child that the task forked failed", exc_info=end.exc_info)
        sys.stdout.flush()
        os._exit(end.exit_code)
    _say(run, end)
    if run.recorded or (run.slot_host is not None and not run.is_anothers):
        _close(run, end)
    return end.exit_code


def _open(run: Run, task: Callable[..., Any], asked: arguments.Asked) -> str:
    """Opens the record: claims the slot, reads the flag. Returns why the task is not to run; "" where it is.

    Raises:
        ServiceUnavailableError: PostgreSQL can't be reached, and without it the task doesn't run: it has a slot, which
            another host may be running, or a flag, which may be off.
        ConfigurationError: the same, for what has to be mended.
    """
    with run.whole():  # cut in two, an import leaves modules without each other, and the end needs them
        from scheduled_tasks.run import flags, record  # psycopg after the started line: a fault gets an end

    feature = getattr(task, "__cron_feature__", None)
    terms = record.Terms(asked.timeout, getattr(task, "__cron_idempotent__", False), asked.overlap)
    slot.note(run)
    try:
        found = record.open_run(run, terms, settings.load().release)
    except (ServiceUnavailableError, ConfigurationError) as error:
        if asked.on_database_error != "run" and (feature is not None or run.slot_host is not None):
            raise
        logger.warning("this run is not recorded: %s", error)
        return ""
    if found.attempt is None:
        run.is_anothers = True
        return found.skipped
    if found.attempt != run.attempt:
        run.attempt = found.attempt
        slot.note(run)
    run.recorded = True
    if feature is not None:
        run.is_active = flags.resolve(feature, found.is_active)
        if found.has_expired:
            state = "active" if run.is_active else "inactive"
            logger.info("the switch of %s for a time is over: it is %s again", run.feature, state)
    if late := slot.too_late(run, asked.grace):
        return late
    if found.paused and not run.is_forced:
        return f"paused: {found.paused}"
    return f"feature {run.feature} is not active" if run.is_active is False else ""


def _close(run: Run, end: End) -> None:
    from scheduled_tasks.run import record, resource_usage

    error = end.exc_info[1] if end.exc_info else None
    text = end.reason or (log.text_of(error) if error is not None else "")
    is_skipped = end.status == RunStatus.SKIPPED
    memory_peak, cpu_seconds = resource_usage.memory_and_cpu()
    result = record.Result(
        run_id=run.run_id,
        attempt=run.attempt if run.recorded or run.has_begun else 0,  # 0: another may still begin it
        status=end.status,
        exit_code=end.exit_code,
        duration=run.duration,
        reason=record.storable(text) or None if is_skipped else None,
        error_type=type(error).__name__ if error is not None else None,
        error_message=None if is_skipped else record.storable(text) or None,
        memory_peak=memory_peak,
        cpu_seconds=cpu_seconds,
    )
    try:
        if not run.recorded and not run.stopped_by:
            raise ServiceUnavailableError("PostgreSQL was away when it began")
        # Stopped while it asked for its slot: it may have got it.
        if not record.close_run(run, result._replace(attempt=run.attempt)) and run.recorded:
            logger.warning("the end of this run is not recorded: its slot was taken over meanwhile")
    except ScheduledTasksError as problem:
        from scheduled_tasks.run import spool

        if spool.keep(run, result):
            logger.warning("the end of this run is recorded later, it is kept on disk: %s", problem)
        else:
            logger.warning("the end of this run is not recorded: %s", problem)


def _say(run: Run, end: End) -> None:
    fields: dict[str, object] = {"duration": run.duration}
    known = {"feature": run.feature, "reason": end.reason, "exit_code": end.exit_code}
    fields |= {key: value for key, value in known.items() if value}
    level = logging.ERROR if end.status == RunStatus.FAILED else logging.INFO
    log.announce(run.name, end.status, level, end.exc_info, **fields)


def _failed(error: BaseException, reason: str) -> End:
    exit_code = error.exit_code if isinstance(error, ScheduledTasksError) else 1
    return End(RunStatus.FAILED, exit_code, reason, (type(error), error, error.__traceback__))


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
