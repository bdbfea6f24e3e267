"""Translate a trigger into the OnCalendar lines and guards that fire at exactly its occurrences.

A Trigger, the current instant and a horizon go in; a Timing comes out, or the faults of a trigger that never fires
again or that systemd can't express exactly. The lines depend on the current year and on nothing finer, so that
rendering the same clock twice gives the same text.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from scheduled_tasks.faults import Fault, FaultsError
from scheduled_tasks.instants import in_sentence
from scheduled_tasks.schedule.calendar_lines import absolute_lines
from scheduled_tasks.schedule.cron_lines import cron_timing
from scheduled_tasks.schedule.evaluator import occurrences
from scheduled_tasks.schedule.interval_lines import interval_timing
from scheduled_tasks.schedule.timing import Period, Timing
from scheduled_tasks.schedule.trigger import LAST_YEAR, Cron, Date, Interval, Trigger
from scheduled_tasks.schedule.zone import zone_info

HORIZON = timedelta(days=3653)
# Lines begin with the year of this long ago: a timer that was down around New Year, or whose zone is still in the old
# year, finds its line.
LOOK_BACK = timedelta(days=31)


def translate(trigger: Trigger, *, now: datetime, horizon: timedelta = HORIZON) -> Timing:
    """Translate a trigger. `now` must be aware.

    Raises FaultsError if the trigger never fires again, or if systemd can't express it exactly.
    """
    now = now.astimezone(UTC)
    first = next(occurrences(trigger, after=now), None)
    if first is None:
        field, over = ("run_date", trigger.run_at) if isinstance(trigger, Date) else ("end_date", trigger.end)
        ended = f"the last run would have been before {in_sentence(over)}" if over else "no date is left"
        problem, instead = f"the trigger never fires again: {ended}", "remove the job, or give a later date"
        value = repr(in_sentence(over, zone_info(trigger.zone), trigger.zone)) if over else "'cron'"
        raise FaultsError([Fault(problem, instead, field if over else "trigger", value)])
    period = _period(now, horizon, "UTC" if isinstance(trigger, Interval) else trigger.zone)
    if isinstance(trigger, Cron):
        timing = cron_timing(trigger, period)
    elif isinstance(trigger, Interval):
        timing = interval_timing(trigger, period)
    elif isinstance(trigger, Date):
        timing = Timing(absolute_lines([trigger.run_at]))
    else:
        raise TypeError(f"{trigger!r} is not a trigger of this package")
    if not timing.on_calendar or (timing.exact_until and first.at >= timing.exact_until):
        problem = f"the first run is after the horizon, {period.until:%Y-%m-%d}, so that no line is exact for it"
        shown = repr(in_sentence(first.at, zone_info(trigger.zone), trigger.zone))
        raise FaultsError(
            [Fault(problem, "add the job closer to that date", "start_date" if trigger.start else "trigger", shown)]
        )
    warnings = [*trigger.warnings]
    if trigger.jitter:
        warnings.append(
            f"jitter={trigger.jitter}: systemd delays a run by 0 to {trigger.jitter} s; APScheduler moves it by up to "
            "that much in either direction"
        )
    years = (period.first, period.last)
    return replace(timing, warnings=(*warnings, *timing.warnings), jitter=trigger.jitter, years=years)


def _period(now: datetime, horizon: timedelta, zone: str) -> Period:
    """The zone's own years: for a while around New Year they are not those of UTC."""
    start = (now - LOOK_BACK).astimezone(zone_info(zone))
    last = min((start + horizon).year, LAST_YEAR)
    return Period(start.year, last, now, datetime(last + 1, 1, 1, tzinfo=start.tzinfo).astimezone(UTC))
