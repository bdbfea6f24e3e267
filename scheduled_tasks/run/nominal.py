"""Compute the nominal time of a timer's run, from the job's schedule and the instant at which the timer elapsed.

systemd doesn't pass it on; decision 0007 has the rule. Of schedule/ only the evaluator is imported, and only by
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
        UsageError: it is not a trigger.
    """
    from scheduled_tasks.schedule.trigger import Trigger

    try:
        return Trigger.from_json(schedule)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"--schedule: not a job's schedule: {error!r}") from error


def nominal_time(trigger: Trigger, at: datetime) -> datetime | None:
    """The slot for which a timer elapsed at an instant: the latest until then, in UTC; None before the first.

    Raises:
        UsageError: the trigger's zone isn't known here.
    """
    from scheduled_tasks.schedule.evaluator import latest_occurrence

    try:
        occurrence = latest_occurrence(trigger, at_or_before=at)
    except (TypeError, ValueError, LookupError) as error:
        raise UsageError(f"--schedule: not a job's schedule: {error!r}") from error
    return occurrence.at if occurrence else None
