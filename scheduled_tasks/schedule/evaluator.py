"""Evaluate triggers: when does a job run?

Occurrences come lazily and in order; decision 0004 has the rule for gaps and folds. The preview, the linter, the ledger
and the tests of the rendered lines all use this module. The hot path imports it, so it and its imports use only the
standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from scheduled_tasks.schedule.trigger import FIRST_YEAR, LAST_YEAR, Cron, Date, Interval, Trigger
from scheduled_tasks.schedule.zone import DAY, blocks_of_year, midnight, zone_info

EDGE_FIRST, EDGE_LAST = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)
TICK = timedelta(microseconds=1)
REACH = timedelta(hours=1)  # how much of the days around a shift is resolved at once


class Occurrence(NamedTuple):
    """One run: its nominal wall time (aware, with fold), and the UTC instant at which it fires.

    They are the same instant, except for a nominal time in a gap: that fires later by the length of the gap.
    """

    nominal: datetime
    at: datetime


def occurrences(trigger: Trigger, *, after: datetime, until: datetime | None = None) -> Iterator[Occurrence]:
    """The runs strictly after one instant, up to and including another, lazily and in order.

    Both instants must be aware. No instant comes twice: if a run that a gap moved coincides with another run, as with
    hours `2,3`, they are one run.
    """
    low = after.astimezone(UTC)
    if trigger.start and trigger.start > low:
        low = trigger.start - TICK
    ends = [end.astimezone(UTC) for end in (until, trigger.end) if end]
    high = min(ends) if ends else None
    for occurrence in _all_after(trigger, low):
        if high and occurrence.at > high:
            return
        yield occurrence


def latest_occurrence(trigger: Trigger, *, at_or_before: datetime) -> Occurrence | None:
    """The last run at or before an instant (aware), or None."""
    high = at_or_before.astimezone(UTC)
    if trigger.end:
        high = min(high, trigger.end)
    latest = _last_before(trigger, high)
    return latest if latest and not (trigger.start and latest.at < trigger.start) else None


def _all_after(trigger: Trigger, low: datetime) -> Iterator[Occurrence]:
    if isinstance(trigger, Cron):
        yield from _cron_after(trigger, low)
    elif isinstance(trigger, Interval):
        step = timedelta(seconds=trigger.every)
        at = trigger.anchor + step * ((low - trigger.anchor) // step + 1)
        while at.year <= LAST_YEAR:
            yield _local(trigger.zone, at)
            at += step
    elif isinstance(trigger, Date) and trigger.run_at > low:
        yield _local(trigger.zone, trigger.run_at)


def _last_before(trigger: Trigger, high: datetime) -> Occurrence | None:
    if isinstance(trigger, Cron):
        return _cron_before(trigger, high)
    if isinstance(trigger, Interval):
        step = timedelta(seconds=trigger.every)
        return _local(trigger.zone, high - (high - trigger.anchor) % step)
    if isinstance(trigger, Date) and trigger.run_at <= high:
        return _local(trigger.zone, trigger.run_at)
    return None


def _local(zone: str, at: datetime) -> Occurrence:
    return Occurrence(at.astimezone(zone_info(zone)), at)


def _cron_after(trigger: Cron, low: datetime) -> Iterator[Occurrence]:
    local = low.astimezone(zone_info(trigger.zone))
    day: date | None = max(local.date(), EDGE_FIRST)
    while day and day <= EDGE_LAST:
        block = blocks_of_year(trigger.zone, day.year).get(day)
        if block:
            yield from _block_after(trigger, block, low)
            day = block[1] + DAY
            continue
        if trigger.wants(day):
            start = midnight(trigger.zone, day)
            first = (low - start) // timedelta(seconds=1) + 1
            yield from (_plain(trigger, day, start, second) for second in _times(trigger, max(first, 0)))
        day = _next_day(trigger, day)


def _cron_before(trigger: Cron, high: datetime) -> Occurrence | None:
    day = min(high.astimezone(zone_info(trigger.zone)).date(), EDGE_LAST)
    while day >= EDGE_FIRST:
        block = blocks_of_year(trigger.zone, day.year).get(day)
        if block:
            if latest := _last_of_block(trigger, block, high):
                return latest
            day = block[0] - DAY
            continue
        if trigger.wants(day):
            start = midnight(trigger.zone, day)
            last = _last_time(trigger, (high - start) // timedelta(seconds=1))
            if last is not None:
                return _plain(trigger, day, start, last)
        day = _previous_day(trigger, day)
    return None


class _Hour(NamedTuple):
    """A wall-clock hour of a date around a shift, and between which instants its runs lie, both inclusive."""

    day: date
    hour: int
    earliest: datetime
    latest: datetime


def _hours(trigger: Cron, first: date, last: date) -> list[_Hour]:
    info = zone_info(trigger.zone)
    hours = []
    for day, hour in _matching(trigger, first, last):
        begin = datetime(day.year, day.month, day.day, hour, tzinfo=info)
        end = begin.replace(minute=59, second=59)
        # One shift at most affects an hour, so each of its times has an offset that its beginning or end has too.
        instants = [wall.replace(fold=fold).astimezone(UTC) for wall in (begin, end) for fold in (0, 1)]
        length = end - begin
        earliest = min(*instants[:2], *(at - length for at in instants[2:]))
        latest = max(*(at + length for at in instants[:2]), *instants[2:])
        hours.append(_Hour(day, hour, earliest, latest))
    return hours


def _block_after(trigger: Cron, block: tuple[date, date], low: datetime) -> Iterator[Occurrence]:
    """The runs of a block after an instant. A job that runs each second has 86,400 in a day, so not all at once."""
    hours = _hours(trigger, *block)
    while hours := [hour for hour in hours if hour.latest > low]:
        until = max(low, min(hour.earliest for hour in hours)) + REACH
        yield from _between(trigger, [hour for hour in hours if hour.earliest <= until], low, until)
        low = until


def _last_of_block(trigger: Cron, block: tuple[date, date], high: datetime) -> Occurrence | None:
    hours = _hours(trigger, *block)
    while hours := [hour for hour in hours if hour.earliest <= high]:
        since = min(high, max(hour.latest for hour in hours)) - REACH
        if runs := _between(trigger, [hour for hour in hours if hour.latest > since], since, high):
            return runs[-1]
        high = since
    return None


def _between(trigger: Cron, hours: list[_Hour], low: datetime, high: datetime) -> list[Occurrence]:
    """The runs after an instant, up to and including another, of all hours that can have any."""
    runs = (run for hour in hours for run in resolve_hour(trigger, hour.day, hour.hour))
    return _in_order(run for run in runs if low < run.at <= high)


def _plain(trigger: Cron, day: date, start: datetime, second: int) -> Occurrence:
    hour, rest = divmod(second, 3600)
    nominal = datetime(day.year, day.month, day.day, hour, rest // 60, rest % 60, tzinfo=zone_info(trigger.zone))
    return Occurrence(nominal, start + timedelta(seconds=second))


def _times(trigger: Cron, first: int) -> Iterator[int]:
    """The times of a day that match, in seconds since midnight, from `first` on."""
    for hour in trigger.hours:
        if hour * 3600 + 3599 < first:
            continue
        for minute in trigger.minutes:
            start = hour * 3600 + minute * 60
            if start + 59 < first:
                continue
            for second in trigger.seconds:
                if start + second >= first:
                    yield start + second


def _last_time(trigger: Cron, last: int) -> int | None:
    """The last time of a day that matches and is at or before `last`, in seconds since midnight."""
    for hour in reversed(trigger.hours):
        if hour * 3600 > last:
            continue
        for minute in reversed(trigger.minutes):
            start = hour * 3600 + minute * 60
            if start > last:
                continue
            for second in reversed(trigger.seconds):
                if start + second <= last:
                    return start + second
    return None


def _next_day(trigger: Cron, day: date) -> date | None:
    """The next day that can match by year and month."""
    if trigger.years is not None and day.year not in trigger.years:
        year = next((year for year in trigger.years if year > day.year), None)
        return date(year, 1, 1) if year else None
    if day.month not in trigger.months:
        year, month = divmod(day.year * 12 + day.month, 12)
        return date(year, month + 1, 1)
    return day + DAY


def _previous_day(trigger: Cron, day: date) -> date:
    """The day before, or the last day of the previous month if this month does not match."""
    if trigger.years is not None and day.year not in trigger.years:
        return date(day.year, 1, 1) - DAY
    return (day.replace(day=1) if day.month not in trigger.months else day) - DAY


def resolve_days(trigger: Cron, first: date, last: date) -> list[Occurrence]:
    """The runs whose nominal date lies between two dates, both inclusive; shifts are taken into account."""
    hours = _matching(trigger, first, last)
    return _in_order(occurrence for day, hour in hours for occurrence in resolve_hour(trigger, day, hour))


def _matching(trigger: Cron, first: date, last: date) -> Iterator[tuple[date, int]]:
    """The dates between two, both inclusive, and hours that match."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return ((day, hour) for day in days if trigger.wants(day) for hour in trigger.hours)


def resolve_hour(trigger: Cron, day: date, hour: int) -> Iterator[Occurrence]:
    """The runs in one wall-clock hour of a matching date. The rule for gaps and folds is here."""
    info = zone_info(trigger.zone)
    repeating = hour in trigger.repeating_hours
    for minute in trigger.minutes:
        for second in trigger.seconds:
            early = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=info)
            late = early.replace(fold=1)
            # PEP 495: in a gap, fold=0 has the offset from before it, so `at` is later than `late_at` by its length.
            at, late_at = early.astimezone(UTC), late.astimezone(UTC)
            if at <= late_at or not repeating:
                yield Occurrence(early, at)
            if at < late_at and repeating:
                yield Occurrence(late, late_at)


def _in_order(unsorted: Iterable[Occurrence]) -> list[Occurrence]:
    """Sort by instant; of several at one instant, keep one that no gap moved, otherwise the last."""
    by_instant: dict[datetime, Occurrence] = {}
    for occurrence in unsorted:
        known = by_instant.get(occurrence.at)
        if known is None or is_moved(known):
            by_instant[occurrence.at] = occurrence
    return [by_instant[at] for at in sorted(by_instant)]


def is_moved(occurrence: Occurrence) -> bool:
    """Whether a gap moved the run: when it fires, the wall clock shows another time than the nominal one."""
    nominal = occurrence.nominal
    return occurrence.at.astimezone(nominal.tzinfo).replace(tzinfo=None) != nominal.replace(tzinfo=None)
