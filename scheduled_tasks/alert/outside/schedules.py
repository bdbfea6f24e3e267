"""A job's schedule as monitoring services outside know schedules, and how long they should wait for it.

A deployed job goes in; a cron expression, OnCalendar lines or a period come out. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise
from math import ceil
from typing import TYPE_CHECKING

from scheduled_tasks.exporters.cron_words import cron_words
from scheduled_tasks.faults import FaultsError
from scheduled_tasks.schedule import occurrences, translate
from scheduled_tasks.schedule.trigger import Cron, Date, Interval

if TYPE_CHECKING:
    from scheduled_tasks.operate.slots import DeployedJob

# From the end of a run to its ping: the watch of a host starts the sender once a minute, and it may have to retry.
REPORT_DELAY = timedelta(minutes=2)
SAMPLE = 400  # occurrences, and days, in which the longest time between two is looked for


@dataclass(frozen=True)
class MonitorSchedule:
    """When a job is due, for a monitor.

    Attributes:
        cron: five fields, if cron can say it.
        calendar: otherwise the OnCalendar lines, if they are exact for ever.
        zone: of either.
        period: seconds: the longest time between two runs.
        grace: seconds from the due time until a run without a delay has surely reported its end.
        start_margin: seconds from the due time until it has surely reported its start.
        longest_run: seconds, all attempts together.
    """

    cron: str
    calendar: str
    zone: str
    period: int
    grace: int
    start_margin: int
    longest_run: int

    def sentry(self) -> dict[str, object]:
        """Sentry's `monitor_config`: a crontab or an interval; it knows minutes only."""
        schedule: dict[str, object] = {"type": "crontab", "value": self.cron}
        if not self.cron:
            schedule = {"type": "interval", "value": ceil(self.period / 60), "unit": "minute"}
        margins = {"checkin_margin": ceil(self.start_margin / 60), "max_runtime": ceil(self.longest_run / 60)}
        return {"schedule": schedule, **margins, "timezone": self.zone if self.cron else "UTC"}


def monitor_schedule(job: DeployedJob, now: datetime) -> MonitorSchedule | None:
    """When a job is due, and how long to wait for it; None if it is due once, never again, or paused in its file."""
    if isinstance(job.trigger, Date) or job.options.get("paused"):
        return None
    period = _longest_period(job, now)
    if period is None:
        return None
    words = cron_words(job.trigger, now)
    cron = words.fields if words.fields and not words.guard else ""
    calendar = "" if cron or not isinstance(job.trigger, Cron) else _calendar(job, now)
    expected = job.options.get("expected_duration")
    duration = timedelta(seconds=float(expected)) if expected else job.timeout
    start = job.overdue_after + REPORT_DELAY
    return MonitorSchedule(
        cron=cron,
        calendar=calendar,
        zone=words.zone if cron else job.trigger.zone,
        period=period,
        grace=_seconds(start + duration),
        start_margin=_seconds(start),
        longest_run=_seconds(job.timeout),
    )


def _longest_period(job: DeployedJob, now: datetime) -> int | None:
    """The longest time between two runs, in seconds, at least; None if it is not due twice."""
    if isinstance(job.trigger, Interval):
        return job.trigger.every if next(occurrences(job.trigger, after=now), None) else None
    due = [occurrence.at for occurrence in islice(occurrences(job.trigger, after=now), SAMPLE)]
    gaps = [later - earlier for earlier, later in pairwise(due)]
    if isinstance(job.trigger, Cron):  # one that is due each minute of working days has its gaps after the sample
        days = [day for n in range(SAMPLE) if job.trigger.wants(day := (now + timedelta(days=n)).date())]
        gaps += [later - earlier for earlier, later in pairwise(days) if (later - earlier).days > 1]
    return _seconds(max(gaps)) if gaps else None


def _calendar(job: DeployedJob, now: datetime) -> str:
    """The OnCalendar lines of a trigger, with their zones; "" if they change with the years."""
    try:
        timing = translate(job.trigger, now=now)
    except FaultsError:  # it never fires again
        return ""
    return "" if timing.exact_until or timing.elapses_every else "\n".join(timing.on_calendar)


def _seconds(time: timedelta) -> int:
    return ceil(time.total_seconds())
