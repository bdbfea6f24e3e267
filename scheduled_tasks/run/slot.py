"""Which slot a process runs: the one that its job's timer elapsed for, the one it is asked for, or none.

What comes in: the command line, and systemd's environment. What goes out: the run's `scheduled_at`, `slot_host`, `lag`,
and, for an attempt after the first, the identity of the run that it goes on with.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks.errors import UsageError
from scheduled_tasks.run import nominal

if TYPE_CHECKING:
    from scheduled_tasks.run.arguments import Asked
    from scheduled_tasks.run.current import Run

TRIGGERS = ("timer", "manual", "backfill", "watch")


def find_slot(run: Run, asked: Asked) -> None:
    """Sets what the run is to know of its slot.

    A start that no timer made may be asked for something by the file in /run/scheduled-tasks/asked that is part of the
    service's environment: SCHEDULED_TASKS_AT (RFC 3339), SCHEDULED_TASKS_TRIGGER, SCHEDULED_TASKS_FORCE (1), and
    SCHEDULED_TASKS_ASKED_UNTIL (seconds since the epoch), after which it is void.

    Raises:
        UsageError: the schedule or the time is none.
    """
    at, by_timer = asked.at, run.trigger == "timer"
    if not by_timer and time.time() <= float(os.environ.get("SCHEDULED_TASKS_ASKED_UNTIL") or "inf"):
        at = at or os.environ.get("SCHEDULED_TASKS_AT", "")
        run.trigger = os.environ.get("SCHEDULED_TASKS_TRIGGER") or run.trigger
        run.is_forced = asked.force or os.environ.get("SCHEDULED_TASKS_FORCE") == "1"
        if run.trigger not in TRIGGERS:
            raise UsageError(f"SCHEDULED_TASKS_TRIGGER {run.trigger}: wants one of {', '.join(TRIGGERS)}")
    now = datetime.now(UTC)
    if not _go_on(run):
        trigger = nominal.read_schedule(asked.schedule) if asked.schedule is not None else None
        run.zone = trigger.zone if trigger else ""
        if at:
            run.scheduled_at, run.is_asked_for = _instant(at), True
        elif trigger and run.trigger == "timer":
            run.scheduled_at = nominal.nominal_time(trigger, now, _previous() if by_timer else None)
    if run.scheduled_at is None:
        return
    run.lag = round((now - run.scheduled_at).total_seconds(), 3)
    if run.clock and run.job:
        run.slot_host = run.host if asked.every_host else ""


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


def _previous() -> datetime | None:
    microseconds = os.environ.get("TRIGGER_TIMER_REALTIME_USEC", "")
    return datetime.fromtimestamp(int(microseconds) / 1_000_000, UTC) if microseconds.isdecimal() else None


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--at {text}: wants an instant as 2026-11-24T06:00:00Z: {error}") from error
    if at.tzinfo is None:
        raise UsageError(f"--at {text}: wants its offset from UTC too, as 2026-11-24T06:00:00Z")
    return at.astimezone(UTC)


def too_late(run: Run, grace: float | None) -> str:
    """Why a run that its timer started is not to run any more; "" where it is."""
    if grace is None or run.scheduled_at is None or run.trigger != "timer" or run.attempt > 1 or run.lag <= grace:
        return ""
    return f"due at {run.due}, {run.lag:.0f} s ago, and may start {grace:g} s late at most"
