"""Which slot a process runs: the one that its job's timer elapsed for, the one it is asked for, or none.

What comes in: the command line, systemd's environment, and, where that leaves a doubt, systemd's account of the start
(decision 0007). What goes out: the run's `trigger`, `scheduled_at`, `slot_host`, `lag`, and, for an attempt after the
first, the identity of the run that it goes on with.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import parse
from scheduled_tasks.run import nominal, start_request

if TYPE_CHECKING:
    from scheduled_tasks.run.arguments import Asked
    from scheduled_tasks.run.current import Run
    from scheduled_tasks.run.start_cause import Cause
    from scheduled_tasks.schedule.trigger import Trigger

# Seconds after a slot within which a start is its timer's, without asking: AccuracySec=1s, and the start of Python.
PROMPT = 2.0


def find_slot(run: Run, asked: Asked) -> None:
    """Sets what the run is to know of its slot.

    Raises:
        UsageError: the schedule or the time is none.
    """
    now = datetime.now(UTC)
    if not _go_on(run):
        trigger = nominal.read_schedule(asked.schedule) if asked.schedule is not None else None
        run.zone = trigger.zone if trigger else ""
        run.is_forced = asked.force
        cause = _ask(run) if start_request.REQUESTED_AT in os.environ else None
        is_asked = _is_asked(cause)
        at = (_take_what_is_asked(run) if is_asked else "") or asked.at
        if at:
            run.scheduled_at, run.is_asked_for = _instant(at), True
        elif trigger and run.trigger == "timer":
            slot = nominal.nominal_time(trigger, now)
            run.scheduled_at = slot if is_asked else _elapsed_for(run, trigger, slot, now, cause)
    if run.scheduled_at is None:
        return
    run.lag = round((now - run.scheduled_at).total_seconds(), 3)
    if run.clock and run.job:
        run.slot_host = run.host if asked.per_host else ""


def _is_asked(cause: Cause | None) -> bool:
    """Whether this is the start that the request in its environment (run/start_request.py) is for, not one after it."""
    if not any(os.environ.get(name) for name in (start_request.AT, start_request.TRIGGER, start_request.FORCE)):
        return False
    if time.time() > float(os.environ.get(start_request.VALID_UNTIL) or "inf"):
        return False
    return cause is None or float(os.environ.get(start_request.REQUESTED_AT) or "inf") > cause.over


def _take_what_is_asked(run: Run) -> str:
    """Takes it; returns the time that is named, "" for none."""
    run.trigger = os.environ.get(start_request.TRIGGER) or "manual"
    run.is_forced = run.is_forced or os.environ.get(start_request.FORCE) == "1"
    if run.trigger not in start_request.TRIGGERS:
        raise UsageError(f"{start_request.TRIGGER} {run.trigger}: wants one of {', '.join(start_request.TRIGGERS)}")
    return os.environ.get(start_request.AT, "")


def _elapsed_for(
    run: Run, trigger: Trigger, latest: datetime | None, now: datetime, cause: Cause | None
) -> datetime | None:
    """The slot that the run's timer elapsed for; None where it wasn't the timer that started it, which the run is told.

    `latest` is the latest slot by now, `cause` systemd's account where it was asked for already.
    """
    if cause is None and not (latest and (now - latest).total_seconds() <= PROMPT):
        cause = _ask(run)
    if cause is None:
        return latest
    if not cause.is_timer:
        run.trigger = "manual"
        return None
    # By the clock as it was then: it may have been set since.
    return nominal.nominal_time(trigger, cause.elapsed_at) if cause.elapsed_at else latest


def _ask(run: Run) -> Cause | None:
    if not (run.clock and run.job):
        return None
    from scheduled_tasks.run import start_cause

    unit = f"clock-{run.clock}-{run.job}"
    timer = os.environ.get("TRIGGER_UNIT", "")
    return start_cause.ask(f"{unit}.service", timer if timer.endswith(".timer") else f"{unit}.timer")


def _go_on(run: Run) -> bool:
    """Goes on with the run that an attempt before this one noted."""
    file = _note()
    try:
        noted = json.loads(file.read_text()) if file else None
    except (OSError, ValueError):
        return False
    if noted is None:
        return False
    run.run_id, run.attempt, run.trigger, run.zone = (
        noted["run_id"],
        noted["attempt"] + 1,
        noted["trigger"],
        noted["zone"],
    )
    run.is_asked_for, run.is_forced = noted["is_asked_for"], noted["is_forced"]
    run.scheduled_at = datetime.fromisoformat(noted["scheduled_at"]) if noted["scheduled_at"] else None
    return True


def note(run: Run) -> None:
    """Notes the run for an attempt after this one, where the service has retries."""
    if (file := _note()) is None:
        return
    noted = {
        "run_id": run.run_id,
        "attempt": run.attempt,
        "trigger": run.trigger,
        "zone": run.zone,
        "is_asked_for": run.is_asked_for,
        "is_forced": run.is_forced,
        "scheduled_at": run.scheduled_at.isoformat() if run.scheduled_at else None,
    }
    file.write_text(json.dumps(noted))


def _note() -> Path | None:
    """The file of that; the folder is there for services that are tried again, and gone with the last attempt."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(folder, "run.json") if folder and os.path.exists(f"{folder}/attempts") else None  # noqa: PTH110 - cheaper


def _instant(text: str) -> datetime:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"--at {text}: expected an instant such as 2026-11-24T06:00:00Z: {error}") from error


def too_late(run: Run, grace: float | None) -> str:
    """Why a run that its timer started is not to run any more; "" where it is."""
    if grace is None or run.scheduled_at is None or run.trigger != "timer" or run.attempt > 1 or run.lag <= grace:
        return ""
    return f"due at {run.due}, {run.lag:.0f} s ago, and may start {grace:g} s late at most"
