"""Interval triggers as lines: real time, hence UTC throughout.

In come an Interval and a Period; out comes a Timing. Whole days and their divisors are patterns, few runs are written
out one by one, and what is left is a denser pattern with a guard in sh that counts. A guard judges the latest elapse
of its pattern: after downtime it lets the catch-up run through only if that elapse was one of the interval's own.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import gcd

from scheduled_tasks.faults import Fault, FaultsError
from scheduled_tasks.schedule.calendar_lines import Numbers, absolute_lines, rectangles
from scheduled_tasks.schedule.cron_lines import pattern
from scheduled_tasks.schedule.evaluator import occurrences
from scheduled_tasks.schedule.timing import Period, Timing
from scheduled_tasks.schedule.trigger import ALL, Cron, Interval

DAY_SECONDS, WEEK_SECONDS = 86400, 604800
MOST_INSTANTS = 5000  # beyond that no list of lines is short enough
MOST_LINES = 400  # beyond that a guard counts: PID 1 evaluates each line anew at each elapse


def interval_timing(trigger: Interval, period: Period) -> Timing:
    """The Timing of an interval. Raises FaultsError where not even a guard each minute could count it."""
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
    runs = [each.at for each in islice(occurrences(original, after=first, until=period.until), MOST_INSTANTS + 1)]
    if len(runs) <= MOST_INSTANTS:
        lines = absolute_lines(runs)
        if len(lines) <= MOST_LINES:
            ended = trigger.end and trigger.end < period.until
            return Timing(lines, exact_until=None if ended else period.until)
    step = gcd(every, DAY_SECONDS)
    if step < 60:  # noqa: PLR2004 - a guard oftener than each minute costs more than the job
        raise FaultsError([
            Fault(
                f"an interval of {every} s neither divides a day nor is made of whole minutes, so no calendar says it",
                f"write {_near(every)} seconds",
                "seconds",
                str(every),
            )
        ])  # fmt: skip
    if trigger.jitter and trigger.jitter >= step:
        raise FaultsError([
            Fault(
                f"a guard counts the steps of {step} s that this interval's timer takes: the jitter is as long",
                f"write a jitter below {step}, or {_near(every)} seconds, which divide a day",
                "jitter",
                str(trigger.jitter),
            )
        ])  # fmt: skip
    script = f"[ $(( ($(date +%s) - {anchor}) / {step} % {every // step} )) -eq 0 ]"
    return Timing(
        _daily(trigger, step, anchor, ALL["weekday"], period),
        exec_condition=(("/bin/sh", "-c", script),),
        warnings=(
            f"an interval of {every} s does not divide a day: the timer elapses every {step} s, and a guard counts",
        ),
    )


def _daily(trigger: Interval, every: int, anchor: int, weekdays: Numbers, period: Period) -> tuple[str, ...]:
    """Lines for an interval that divides a day, between the trigger's start and end."""
    found: tuple[str, ...] = ()
    for times in rectangles(range(anchor % every, DAY_SECONDS, every) if every < DAY_SECONDS else [anchor % every]):
        cron = Cron(
            zone="UTC", start=trigger.start, end=trigger.end, weekdays=weekdays,
            hours=times.hours, minutes=times.minutes, seconds=times.seconds,
        )  # fmt: skip
        found += pattern(cron, period)[0]
    return found


def _near(every: int) -> int:
    """The divisor of a day that is nearest to `every`."""
    divisors = (each for each in range(1, DAY_SECONDS + 1) if DAY_SECONDS % each == 0)
    return min(divisors, key=lambda each: abs(each - every))
