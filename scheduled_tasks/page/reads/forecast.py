"""What is to come: how many runs start in each hour of the next seven days, how busy it is, and the quietest half hour.

A run is expected to take what the runs of its job took on average in the last week, by the roll-up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.schedule.evaluator import occurrences

if TYPE_CHECKING:
    from scheduled_tasks.page.reads.catalog import Catalog
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.schedule.trigger import Trigger

DAYS = 7
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
QUIET = 30  # minutes
NIGHT = timedelta(hours=12)  # from now on, in which the quietest time is looked for
UNKNOWN = 60.0  # seconds, of a job that has not run


class HourAhead(NamedTuple):
    """An hour: how many runs start in it, and how many run at once in it on average."""

    at: datetime
    starts: int
    busy: float


class Quiet(NamedTuple):
    """The quietest time: when it begins, how many runs start in it, and how many run at once on average."""

    at: datetime
    starts: int
    busy: float


class Group(NamedTuple):
    """Jobs with one schedule: how many runs each due time starts, and how long they take together."""

    trigger: Trigger
    runs: int
    seconds: float


def groups(connection: Connection, catalog: Catalog, now: datetime) -> list[Group]:
    """The schedules of all jobs with what their runs take."""
    took = dict(_took(connection, now))
    by_trigger: dict[Trigger, tuple[int, float]] = {}
    for (clock, name), job in catalog.jobs.items():
        if job.is_timed:
            runs, seconds = by_trigger.get(job.trigger, (0, 0.0))
            by_trigger[job.trigger] = (
                runs + job.slots_at_once,
                seconds + job.slots_at_once * took.get((clock, name), UNKNOWN),
            )
    return [Group(trigger, runs, seconds) for trigger, (runs, seconds) in by_trigger.items()]


def _took(connection: Connection, now: datetime) -> Iterator[tuple[tuple[str, str], float]]:
    rows = connection.execute(
        "SELECT clock, job, sum(seconds) / sum(ended + failed) FROM slot_hour WHERE hour > %s"
        " GROUP BY clock, job HAVING sum(ended + failed) > 0",
        [now - timedelta(days=1)],
    )
    for clock, job, seconds in rows:
        yield (clock, job), seconds


def week(found: list[Group], now: datetime) -> list[HourAhead]:
    """Each hour of the next seven days, from the present one on."""
    first = now.replace(minute=0, second=0, microsecond=0)
    starts, seconds = [0] * (DAYS * 24), [0.0] * (DAYS * 24)
    for group in found:
        each = group.seconds / group.runs
        for one in occurrences(group.trigger, after=now, until=first + timedelta(days=DAYS) - timedelta(seconds=1)):
            hour = int((one.at - first) / HOUR)
            starts[hour] += group.runs
            left, begin = each, (one.at - first).total_seconds() - hour * 3600
            while left > 0 and hour < len(seconds):
                part = min(left, 3600 - begin)
                seconds[hour] += part * group.runs
                left, begin, hour = left - part, 0.0, hour + 1
    return [HourAhead(first + n * HOUR, starts[n], seconds[n] / 3600) for n in range(DAYS * 24)]


def quietest(found: list[Group], now: datetime) -> Quiet:
    """The half hour of the next twelve hours with the least to do; of several, the one with the fewest starts."""
    minutes = int(NIGHT / MINUTE)
    first = now.replace(second=0, microsecond=0) + MINUTE
    change, starts = [0.0] * (minutes + 1), [0] * minutes
    for group in found:
        each = group.seconds / group.runs
        for one in occurrences(group.trigger, after=first - MINUTE, until=first + NIGHT - MINUTE):
            begin = max(int((one.at - first) / MINUTE), 0)
            starts[begin] += group.runs
            change[begin] += group.runs
            change[min(begin + max(int(each / 60), 1), minutes)] -= group.runs
    busy, level = [], 0.0
    for step in change[:minutes]:
        level += step
        busy.append(level)
    at = min(range(minutes - QUIET), key=lambda n: (sum(busy[n : n + QUIET]), sum(starts[n : n + QUIET]), n))
    return Quiet(first + at * MINUTE, sum(starts[at : at + QUIET]), sum(busy[at : at + QUIET]) / QUIET)
