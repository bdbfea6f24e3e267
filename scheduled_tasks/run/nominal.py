"""The nominal time of a run that its timer started: pure, from the job's schedule and the instant of the start.

systemd doesn't tell it. What it does tell, in `$TRIGGER_TIMER_REALTIME_USEC`, is when the timer elapsed the last time
before (252). Decision 0020 has the rule. Only the evaluator of the schedule room is imported, and only by runs that
need it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduled_tasks.errors import UsageError

if TYPE_CHECKING:
    from scheduled_tasks.schedule.trigger import Trigger

TOLERANCE = timedelta(minutes=1)  # by which a clock may be set back between the timer's elapsing and the start


def read_schedule(schedule: dict[str, Any]) -> Trigger:
    """The trigger that a unit passes as `--schedule`.

    Raises:
        UsageError: what was passed is none.
    """
    from scheduled_tasks.schedule.trigger import Trigger

    try:
        return Trigger.from_json(schedule)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"--schedule: is not a job's schedule: {error!r}") from error


def nominal_time(trigger: Trigger, now: datetime, previous: datetime | None = None) -> datetime | None:
    """The slot that a timer's start at `now` is for, in UTC: the latest that was due; None where none was yet.

    Where the timer had elapsed for that one before (`previous`), the clock was set back since it elapsed now: then it
    is the slot to come, if that is near.

    Raises:
        UsageError: the trigger's zone isn't known here.
    """
    from scheduled_tasks.schedule.evaluator import latest_occurrence, occurrences

    try:
        found = latest_occurrence(trigger, at_or_before=now)
        latest = found.at if found else None
        if previous is None or previous > now or (latest and previous < latest):
            return latest
        coming = next((each.at for each in occurrences(trigger, after=now, until=now + TOLERANCE)), None)
    except (TypeError, ValueError, LookupError) as error:
        raise UsageError(f"--schedule: is not a job's schedule: {error!r}") from error
    if coming is None or (latest and coming - now >= now - latest):
        return latest
    return coming
