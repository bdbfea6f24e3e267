"""Translate interval triggers. They count real time, so every line is in UTC.

An Interval and a Period go in; a Timing comes out. Whole days and divisors of a day become patterns, a few runs are
written one by one, and anything else becomes a denser pattern, from which run-task picks the interval's slots.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import gcd

from scheduled_tasks.faults import Fault, FaultsError
from scheduled_tasks.schedule.calendar_lines import Numbers, absolute_lines, time_combinations
from scheduled_tasks.schedule.cron_lines import pattern
from scheduled_tasks.schedule.evaluator import occurrences
from scheduled_tasks.schedule.timing import Period, Timing
from scheduled_tasks.schedule.trigger import ALL, Cron, Interval

DAY_SECONDS, WEEK_SECONDS = 86400, 604800
MAX_INSTANTS = 5000  # with more, no list of lines is short enough
MAX_LINES = 400  # with more, a denser pattern is cheaper: PID 1 evaluates every line at every elapse


def interval_timing(trigger: Interval, period: Period) -> Timing:
    """The Timing of an interval. Raises FaultsError if even a timer that elapses every minute misses some slots."""
    every, anchor = trigger.every, int(trigger.anchor.timestamp())
    if trigger.start and trigger.start <= period.now:
        trigger = replace(trigger, start=None)
    if DAY_SECONDS % every == 0:
        return Timing(_daily(trigger, every, anchor, ALL["weekday"], period))
    if every == WEEK_SECONDS:
        weekday = datetime.fromtimestamp(anchor, UTC).weekday()
        return Timing(_daily(trigger, DAY_SECONDS, anchor, (weekday,), period))
    original = replace(trigger, start=datetime.fromtimestamp(anchor, UTC))
    first = (trigger.start or period.start) - timedelta(seconds=1)
    runs = [run.at for run in islice(occurrences(original, after=first, until=period.until), MAX_INSTANTS + 1)]
    if len(runs) <= MAX_INSTANTS:
        lines = absolute_lines(runs)
        if len(lines) <= MAX_LINES:
            ended = trigger.end and trigger.end < period.until
            return Timing(lines, exact_until=None if ended else period.until)
    step = gcd(every, DAY_SECONDS)
    if step < 60:  # noqa: PLR2004 - starts more often than every minute cost more than the job
        problem = f"an interval of {every} s neither divides a day nor is whole minutes, so OnCalendar can't express it"
        raise FaultsError([Fault(problem, f"write {_nearest_divisor(every)} seconds", "seconds", str(every))])
    if trigger.jitter and trigger.jitter >= step:
        problem = f"this interval's timer elapses every {step} s: the jitter has to be shorter"
        instead = f"write a jitter below {step}, or {_nearest_divisor(every)} seconds, which divides a day"
        raise FaultsError([Fault(problem, instead, "jitter", str(trigger.jitter))])
    warning = f"an interval of {every} s does not divide a day: its timer elapses every {step} s, mostly for nothing"
    return Timing(_daily(trigger, step, anchor, ALL["weekday"], period), elapses_every=step, warnings=(warning,))


def _daily(trigger: Interval, every: int, anchor: int, weekdays: Numbers, period: Period) -> tuple[str, ...]:
    """Lines for an interval that divides a day, between the trigger's start and end."""
    lines: tuple[str, ...] = ()
    for times in time_combinations(
        range(anchor % every, DAY_SECONDS, every) if every < DAY_SECONDS else [anchor % every]
    ):
        cron = Cron(
            zone="UTC", start=trigger.start, end=trigger.end, weekdays=weekdays,
            hours=times.hours, minutes=times.minutes, seconds=times.seconds,
        )  # fmt: skip
        lines += pattern(cron, period)[0]
    return lines


def _nearest_divisor(every: int) -> int:
    """The divisor of a day that is nearest to `every`."""
    divisors = (seconds for seconds in range(1, DAY_SECONDS + 1) if DAY_SECONDS % seconds == 0)
    return min(divisors, key=lambda seconds: abs(seconds - every))
