"""The nominal time of a run that its timer started: pure, from the job's schedule and the instant of the start.

systemd doesn't tell it. Decision 0007 has the rule. Only the evaluator of the schedule room is imported, and only by
runs that need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduled_tasks.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from scheduled_tasks.schedule.trigger import Trigger


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


def nominal_time(trigger: Trigger, at: datetime) -> datetime | None:
    """The slot that a timer which elapsed at an instant did so for, in UTC: the latest until then; None for none yet.

    Raises:
        UsageError: the trigger's zone isn't known here.
    """
    from scheduled_tasks.schedule.evaluator import latest_occurrence

    try:
        found = latest_occurrence(trigger, at_or_before=at)
    except (TypeError, ValueError, LookupError) as error:
        raise UsageError(f"--schedule: is not a job's schedule: {error!r}") from error
    return found.at if found else None
