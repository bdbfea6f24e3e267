"""The nominal time of a run, and how late it starts: from its job's schedule, where the unit passes it.

systemd doesn't tell (252's `$TRIGGER_TIMER_REALTIME_USEC` carries the timer's previous trigger). Only the evaluator of
the schedule room is imported, and only by runs that need it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scheduled_tasks.errors import UsageError

if TYPE_CHECKING:
    from scheduled_tasks.run.current import Run


def find_nominal_time(run: Run, schedule: dict[str, Any]) -> None:
    """Sets the run's `scheduled_at` and `lag`.

    Raises:
        UsageError: what was passed is no schedule.
    """
    from scheduled_tasks.schedule.evaluator import latest_occurrence
    from scheduled_tasks.schedule.trigger import Trigger

    now = datetime.now(UTC)
    try:
        found = latest_occurrence(Trigger.from_json(schedule), at_or_before=now)
    except (KeyError, TypeError, ValueError, LookupError) as error:
        raise UsageError(f"--schedule: is not a job's schedule: {error!r}") from error
    if found is None and schedule.get("kind") == "date":
        # One date has one nominal time, also while it is to come: `clocks dev --at` runs a day of the future.
        run.scheduled_at = datetime.fromisoformat(schedule["run_at"])
    if found is not None:
        run.scheduled_at = found.at
        run.lag = round((now - found.at).total_seconds(), 3)


def too_late(run: Run, grace: float | None) -> str:
    """Why a run that its timer started is not to run any more; "" where it is."""
    if grace is None or run.scheduled_at is None or run.trigger != "timer" or run.lag <= grace:
        return ""
    return f"due at {run.scheduled_at:%Y-%m-%dT%H:%M:%SZ}, {run.lag:.0f} s ago, and may start {grace:g} s late at most"
