"""run-task: run one task once, as a job's service or as a person at a terminal does.

Settings → log → find the task → row and flag → context → task → row. Standard output carries log lines only, and every
`started` line gets exactly one end line, whatever happens to the task.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from scheduled_tasks import masking
from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError, ServiceUnavailableError, UsageError
from scheduled_tasks.run import arguments, current, ending, log, settings, slot
from scheduled_tasks.run.context import application_factory
from scheduled_tasks.run.current import Phase, Run, Stopped
from scheduled_tasks.run.find_task import find_task
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import FrameType

MAX_REASON = 1_500  # characters of an error, so that the advice after it is not cut off

logger = logging.getLogger("scheduled_tasks.run")  # not __name__: the module may be __main__


class Outcome(NamedTuple):
    """How a run ended; its end line, its row and its exit code derive from this."""

    status: RunStatus
    exit_code: int = 0
    reason: str = ""
    exc_info: log.ExcInfo | None = None


def main(argv: list[str] | None = None) -> int:
    """Run a task and return the exit code; docs/reference/exit-codes.md has the contract."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["--probe"]:
        from scheduled_tasks.run import probe

        return probe.main(argv[1:])
    try:
        command_line = arguments.parse(argv)
    except UsageError as error:
        sys.stderr.write(f"run-task: {error}\n{arguments.USAGE}")
        return error.exit_code
    if command_line is None:
        sys.stdout.write(arguments.USAGE)
        return 0
    if not command_line.readable and os.isatty(1):
        sys.stderr.write("run-task: these lines are for programs; --readable writes them for people\n")
    run = Run(command_line.task, command_line.task.rpartition(".")[2], clock=command_line.clock, job=command_line.job)
    log.take_over_stdout(host=run.host, formatter=_readable(run.host) if command_line.readable else None)
    current.current = run
    try:
        slot.find_slot(run, command_line)
        run.enter_trace()
        configuration = settings.load()
        configuration.make_importable()
        factory = application_factory(configuration.get("app"))

        def make_app() -> object:
            with log.keep_logging():
                return factory()

        task = find_task(run.task, configuration.require("domains"), make_app)
        call = arguments.bind(task, command_line, make_app, run.scheduled_or_started_at)
    except slot.NotDueError:
        return 0
    except ScheduledTasksError as error:
        return _could_not_start(run, error, readable=command_line.readable)
    return _run(run, task, call, command_line)


def _readable(host: str) -> logging.Formatter:
    """Lines for a person, in the project's zone."""
    from scheduled_tasks.readable_log import ReadableFormatter, in_zone

    try:
        zone = settings.load().get("timezone")
    except ConfigurationError:  # the run will report it
        zone = ""
    return ReadableFormatter(log.LineFormatter(host=host), in_zone(zone))


def _could_not_start(run: Run, error: ScheduledTasksError, *, readable: bool) -> int:
    """Report a run that can't start: a `failed` line in the log, and, at a terminal, the error on standard error."""
    ending.finish_task(run)  # the task's module may have been imported, and have started threads
    log.announce(run.name, RunStatus.FAILED, logging.ERROR, reason=str(error), exit_code=error.exit_code)
    if not readable and not log.writes_to_journal(2):
        sys.stderr.write(f"run-task: {masking.mask(str(error))}\n")
    return error.exit_code


def _run(run: Run, task: Callable[..., Any], call: arguments.Call, command_line: arguments.CommandLine) -> int:
    run.feature = getattr(getattr(task, "__cron_feature__", None), "name", "")
    _handle_signals(run)  # before the started line: a signal right after it must not prevent the end line
    log.announce(run.name, RunStatus.STARTED, logging.INFO)
    outcome = _outcome(run, task, call, command_line)
    if os.getpid() != run.pid:  # a child process forked by the task; the run is its parent's
        if outcome.exc_info:
            logger.error("a child that the task forked failed", exc_info=outcome.exc_info)
        ending.leave(outcome.exit_code)
    ending.finish_task(run)
    run.lasted = run.duration
    log.wait_out_rate_limit()
    if run.stopped_by:  # even if the task swallowed the exception
        reason = f"stopped by {signal.Signals(run.stopped_by).name}"
        outcome = Outcome(RunStatus.FAILED, 128 + run.stopped_by, reason, outcome.exc_info)
    _log_outcome(run, outcome)
    if run.is_recorded or (run.slot_host is not None and run.phase is not Phase.CLAIMED_ELSEWHERE):
        _record_outcome(run, outcome)
    return outcome.exit_code


def _outcome(run: Run, task: Callable[..., Any], call: arguments.Call, command_line: arguments.CommandLine) -> Outcome:
    """Claim the run's slot and call the task; whatever happens, return how it ended."""
    try:
        try:
            run.allow_interrupt()
            if skip_reason := _record_start(run, task, command_line):
                return Outcome(RunStatus.SKIPPED, reason=skip_reason)
            run.phase = Phase.RUNNING if run.is_recorded else Phase.RUNNING_UNRECORDED
            call(task, partial(_in_sdks, run))
            return Outcome(RunStatus.ENDED)
        finally:
            run.interruptible = False
    except SystemExit as error:
        if error.code in (None, 0):  # not a set: sys.exit() takes unhashable values as well
            return Outcome(RunStatus.ENDED)
        return _failed(error, f"sys.exit({log.text_of(error.code, repr)})")
    except Stopped as error:
        return _failed(error, "")
    except BaseException as error:  # noqa: BLE001 - whatever it is, the run gets its end line
        return _failed(error, _with_advice(error, str(error) if isinstance(error, ScheduledTasksError) else ""))


def _in_sdks(run: Run) -> AbstractContextManager[object]:
    """The context in which a task runs: that of the application's own Sentry or OpenTelemetry, if it has any."""
    if not current.has_sdk():
        return nullcontext()
    from scheduled_tasks.run.application import sdks  # most tasks have neither

    return sdks.around_task(run)


def _with_advice(error: BaseException, reason: str) -> str:
    """The reason of a failure, with the part of the sandbox that it is likely due to."""
    try:
        from scheduled_tasks import sandbox_advice  # only a run that failed needs it

        advice = sandbox_advice.of_error(error) if sandbox_advice.is_confined() else ""
    except Exception:  # noqa: BLE001 - the error can be any object, and advice is never worth an end line
        return reason
    return f"{(reason or log.text_of(error))[:MAX_REASON]}; {advice}" if advice else reason


def _record_start(run: Run, task: Callable[..., Any], command_line: arguments.CommandLine) -> str:
    """Claim the slot, write the run's row and read the flag. Return why the task is skipped; "" if it is to run.

    Raises:
        ServiceUnavailableError: PostgreSQL is unreachable, and the task doesn't run without it: it has a slot, which
            another host may be running, or a flag, which may be off.
        ConfigurationError: the same, but somebody has to fix the cause.
    """
    # An interrupted import would leave half-initialised modules, which the end of the run needs.
    with run.uninterruptible():
        # Imported after the started line, so that a failed import of psycopg gets its end line.
        from scheduled_tasks.run import flags, record

    feature = getattr(task, "__cron_feature__", None)
    terms = record.ClaimTerms(command_line.timeout, getattr(task, "__cron_idempotent__", False), command_line.overlap)
    slot.save_for_retry(run)
    try:
        claim = record.open_run(run, terms, settings.load().release)
    except (ServiceUnavailableError, ConfigurationError) as error:
        if command_line.on_database_error != "run" and (feature is not None or run.slot_host is not None):
            raise
        logger.warning("this run is not recorded: %s", error)
        return ""
    if claim.attempt is None:
        run.phase = Phase.CLAIMED_ELSEWHERE
        return claim.skip_reason
    if claim.attempt != run.attempt:
        run.attempt = claim.attempt
        run.enter_trace()
        slot.save_for_retry(run)
    run.phase = Phase.RECORDED
    if feature is not None:
        run.is_active = flags.resolve(feature, claim.is_active)
        if claim.switch_expired:
            state = "active" if run.is_active else "inactive"
            logger.info("the temporary switch of %s has expired: it is %s again", run.feature, state)
    if reason := slot.too_late(run, command_line.grace):
        return reason
    if claim.paused and not run.is_forced:
        return f"paused: {claim.paused}"
    return f"feature {run.feature} is not active" if run.is_active is False else ""


def _record_outcome(run: Run, outcome: Outcome) -> None:
    from scheduled_tasks.run import record, resource_usage

    error = outcome.exc_info[1] if outcome.exc_info else None
    text = record.storable(outcome.reason or (log.text_of(error) if error is not None else "")) or None
    is_skipped = outcome.status == RunStatus.SKIPPED
    memory_peak, cpu_seconds = resource_usage.memory_and_cpu()
    result = record.Result(
        run_id=run.run_id,
        attempt=0 if run.phase is Phase.STARTING else run.attempt,  # 0: another run may still have the slot
        status=outcome.status,
        exit_code=outcome.exit_code,
        duration=run.duration,
        reason=text if is_skipped else None,
        # systemd may know why it sent the signal: operate/reconcile.py then corrects this type only.
        error_type=Stopped.__name__ if run.stopped_by else type(error).__name__ if error is not None else None,
        error_message=None if is_skipped else text,
        memory_peak=memory_peak,
        cpu_seconds=cpu_seconds,
    )
    try:
        if not run.is_recorded and not run.stopped_by:
            raise ServiceUnavailableError("PostgreSQL was unreachable at its start")
        # A run that was stopped while it claimed its slot may have got it.
        if not record.close_run(run, result._replace(attempt=run.attempt)) and run.is_recorded:
            logger.warning("the result of this run is not recorded: another run has taken its slot over")
    except ScheduledTasksError as problem:
        from scheduled_tasks.run import spool

        if spool.keep(run, result):
            logger.warning("the result of this run is kept on disk and recorded later: %s", problem)
        else:
            logger.warning("the result of this run is not recorded: %s", problem)


def _log_outcome(run: Run, outcome: Outcome) -> None:
    fields = {"feature": run.feature, "reason": outcome.reason, "exit_code": outcome.exit_code}
    known = {key: value for key, value in fields.items() if value}
    level = logging.ERROR if outcome.status == RunStatus.FAILED else logging.INFO
    log.announce(run.name, outcome.status, level, outcome.exc_info, duration=run.duration, **known)


def _failed(error: BaseException, reason: str) -> Outcome:
    exit_code = error.exit_code if isinstance(error, ScheduledTasksError) else 1
    return Outcome(RunStatus.FAILED, exit_code, reason, (type(error), error, error.__traceback__))


def _handle_signals(run: Run) -> None:
    def stop(signum: int, _frame: FrameType | None) -> None:
        run.stop(signum)

    # nohup and a shell's & ignore some on purpose.
    handled = [s for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) if signal.getsignal(s) is not signal.SIG_IGN]
    for signum in handled:
        signal.signal(signum, stop)

    # A child that the task forks dies of the signal as usual. Blocked meanwhile, because Python drops a signal that
    # reaches the child right after the fork, and the parent would wait for its end for ever.
    masks: dict[int, Any] = {}  # by thread

    def block() -> None:
        masks[threading.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, handled)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop(threading.get_ident()))

    def be_a_child() -> None:
        for signum in handled:
            if signal.getsignal(signum) is stop:
                signal.signal(signum, signal.SIG_DFL)
        unblock()

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=be_a_child)


def entry() -> NoReturn:
    """The console script: exit with `main`'s code."""
    ending.leave(main())


if __name__ == "__main__":
    entry()
