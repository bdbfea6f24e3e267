"""Work out which slot this process is running: the timer's, an explicitly requested one, or none.

Reads the command line, systemd's environment and, if those don't decide it, systemd's records of the start (decision
0007); in a Kubernetes pod, what that knows of its Job. Sets the run's `trigger`, `scheduled_at`, `slot_host` and `lag`;
a retry takes over the first try's identity.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import iso8601, parse
from scheduled_tasks.run import current, nominal

if TYPE_CHECKING:
    from scheduled_tasks.run.arguments import CommandLine
    from scheduled_tasks.run.current import Run
    from scheduled_tasks.run.start_cause import StartCause
    from scheduled_tasks.schedule.trigger import Trigger

# The variables of a start request, which a service gets as EnvironmentFile=.
AT = "SCHEDULED_TASKS_AT"  # the slot to run, RFC 3339
TRIGGER = "SCHEDULED_TASKS_TRIGGER"  # one of TRIGGERS
FORCE = "SCHEDULED_TASKS_FORCE"  # 1: run it even if it is paused or has run
RUN_ID = "SCHEDULED_TASKS_RUN_ID"  # of the run, if who requested it has chosen it
STARTED_IN = "SCHEDULED_TASKS_TRACEPARENT"  # the trace context of who requested it
REQUESTED_AT = "SCHEDULED_TASKS_REQUESTED_AT"  # in seconds of CLOCK_MONOTONIC
VALID_UNTIL = "SCHEDULED_TASKS_REQUEST_VALID_UNTIL"  # in seconds since the epoch
TRIGGERS = ("timer", "manual", "backfill", "watch")

# A start at most this many seconds after a slot counts as the timer's without asking systemd: AccuracySec=1s, and the
# start of Python.
PROMPT_SECONDS = 2.0
# How long a start may wait in systemd's queue; a later one has timed out (TimeoutStartSec= of all-services.conf.j2).
MAX_QUEUE = timedelta(minutes=15)
SAVED = ("run_id", "attempt", "trigger", "zone", "is_requested", "is_forced", "traceparent")  # for the next attempt


class NotDueError(Exception):
    """The timer elapses more often than its schedule, and no slot is due."""


def find_slot(run: Run, command_line: CommandLine) -> None:
    """Set the run's slot and its lag.

    Raises:
        UsageError: the schedule or the requested time is not one.
        NotDueError: there is no slot to run, and nobody asked for a run.
    """
    now = datetime.now(UTC)
    if current.KUBERNETES_JOB in os.environ:
        _find_pods_slot(run, command_line, now)
    elif not _resume(run):
        trigger = nominal.read_schedule(command_line.schedule) if command_line.schedule is not None else None
        run.zone = trigger.zone if trigger else ""
        run.is_forced = command_line.force
        cause = _start_cause(run) if REQUESTED_AT in os.environ else None
        is_requested = _is_for_this_start(cause)
        at = (_apply_request(run) if is_requested else "") or command_line.at
        if at:
            try:
                run.scheduled_at, run.is_requested = parse(at), True
            except ValueError as error:
                raise UsageError(f"--at {at}: expected an instant such as 2026-11-24T06:00:00Z: {error}") from error
        elif trigger and run.trigger == "timer":
            if is_requested:
                run.scheduled_at = nominal.nominal_time(trigger, now)
            else:
                run.scheduled_at = timers_slot(run, trigger, now, cause, command_line.elapses_every)
    if run.scheduled_at is None:
        return
    if not run.is_requested or now >= run.scheduled_at:  # a slot of the future, as `clocks dev` runs them, has no lag
        run.lag = round((now - run.scheduled_at).total_seconds(), 3)
    if run.clock and run.job:
        run.slot_host = run.host if command_line.per_host else ""


def _find_pods_slot(run: Run, command_line: CommandLine, now: datetime) -> None:
    """Set the slot of a run in a Kubernetes pod."""
    from scheduled_tasks.run.kubernetes import pod

    trigger = nominal.read_schedule(command_line.schedule) if command_line.schedule is not None else None
    run.zone, run.is_forced = trigger.zone if trigger else "", command_line.force
    if not pod.find_slot(run, trigger, now):
        raise NotDueError
    run.is_retried_by_pods = run.scheduled_at is not None


def _is_for_this_start(cause: StartCause | None) -> bool:
    """Whether the environment has a start request (deploy/start_requests.py) for this start, not an earlier one."""
    if not any(os.environ.get(name) for name in (AT, TRIGGER, FORCE)):
        return False
    if time.time() > float(os.environ.get(VALID_UNTIL) or "inf"):
        return False
    return cause is None or float(os.environ.get(REQUESTED_AT) or "inf") > cause.previous_ended


def _apply_request(run: Run) -> str:
    """Apply the start request to the run; return the slot that it names, "" if it names none."""
    run.trigger = os.environ.get(TRIGGER) or "manual"
    run.is_forced = run.is_forced or os.environ.get(FORCE) == "1"
    run.run_id = os.environ.get(RUN_ID) or run.run_id
    run.traceparent = current.valid_traceparent(os.environ.get(STARTED_IN, "")) or run.traceparent
    if run.trigger not in TRIGGERS:
        raise UsageError(f"{TRIGGER} {run.trigger}: expected one of {', '.join(TRIGGERS)}")
    return os.environ.get(AT, "")


def timers_slot(
    run: Run, trigger: Trigger, now: datetime, cause: StartCause | None, elapses_every: float | None
) -> datetime | None:
    """The slot that the run's timer elapsed for; None, and a `manual` run, if something else started it.

    `cause` is systemd's answer, if it was asked already.

    Raises:
        NotDueError: it elapsed between two slots, and the start waited for none since.
    """
    latest = nominal.nominal_time(trigger, now)
    if cause is None and not (latest and (now - latest).total_seconds() <= PROMPT_SECONDS):
        cause = _start_cause(run)
    if cause is not None and not cause.is_timer:
        run.trigger = "manual"
        return None
    elapsed_at = cause.elapsed_at if cause and cause.elapsed_at else now
    if elapses_every:
        # A start can queue for so long that a slot falls due meanwhile, for which the timer does not elapse again. If
        # nobody knows what was due since the timer elapsed before, the slot may have had its run; its claim decides.
        before = timedelta(seconds=elapses_every)
        if cause is None or cause.was_deferred:
            before = max(before, MAX_QUEUE)
        if latest is None or latest <= elapsed_at - before:
            raise NotDueError
        return latest
    if cause is None:
        return latest
    # elapsed_at is what the host's clock said then; the clock may have been set since.
    return nominal.nominal_time(trigger, cause.elapsed_at) if cause.elapsed_at else latest


def _start_cause(run: Run) -> StartCause | None:
    if not (run.clock and run.job):
        return None
    from scheduled_tasks.run import start_cause

    unit = f"clock-{run.clock}-{run.job}"
    timer = os.environ.get("TRIGGER_UNIT", "")
    return start_cause.ask_systemd(f"{unit}.service", timer if timer.endswith(".timer") else f"{unit}.timer")


def _resume(run: Run) -> bool:
    """Take over the identity that the previous attempt saved; False if there was none."""
    if (file := _retry_file()) is None:
        return False
    try:
        saved = json.loads(file.read_text())
    except (OSError, ValueError):
        return False
    for name in SAVED:
        setattr(run, name, saved.get(name, getattr(run, name)))  # another release may have saved fewer
    run.attempt += 1
    run.scheduled_at = parse(saved["scheduled_at"]) if saved["scheduled_at"] else None
    return True


def save_for_retry(run: Run) -> None:
    """Save the run's identity for the next attempt, if the service has retries."""
    if (file := _retry_file()) is None:
        return
    scheduled_at = iso8601(run.scheduled_at) if run.scheduled_at else None
    file.write_text(json.dumps({name: getattr(run, name) for name in SAVED} | {"scheduled_at": scheduled_at}))


def _retry_file() -> Path | None:
    """The file of that identity; None without retries. systemd removes its folder after the last attempt."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(folder, "run.json") if folder and os.path.exists(f"{folder}/attempts") else None  # noqa: PTH110 - cheaper


def too_late(run: Run, grace: float | None) -> str:
    """Why a run that its timer started is too late; "" if it isn't."""
    if (
        grace is None
        or run.scheduled_at is None
        or run.trigger != "timer"
        or run.attempt > 1
        or (run.lag or 0) <= grace
    ):
        return ""
    return f"due at {run.due}, {run.lag:.0f} s ago; it may start at most {grace:g} s late"
