"""Cron triggers as lines: zoned where no shift of the clock touches them, absolute UTC where one does.

In come a Cron and a Period; out comes a Timing. Where a UTC line alone is exact, it is used. What systemd makes of a
zone's gaps and folds was measured (252 and 257); decision 0004 lists it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache

from scheduled_tasks.schedule.calendar_lines import (
    Numbers,
    TimesOfDay,
    absolute_lines,
    by_value,
    dates_in_groups,
    line,
    rectangles,
)
from scheduled_tasks.schedule.date_windows import ALWAYS, DateWindow, between, cut, parts, without
from scheduled_tasks.schedule.evaluator import Occurrence, resolve_days, resolve_hour
from scheduled_tasks.schedule.timing import Period, Timing
from scheduled_tasks.schedule.trigger import ALL, Cron
from scheduled_tasks.schedule.zone import DAY, Shift, offset_at, shifts, zone_info

DAY_SECONDS = 86400


def cron_timing(cron: Cron, period: Period) -> Timing:
    """The Timing of a cron trigger."""
    if cron.start and cron.start <= period.now:
        cron = replace(cron, start=None)  # it has long begun: nothing is left to cut
    in_utc = _as_utc(cron, period)
    if in_utc:
        return Timing(pattern(in_utc, period)[0])
    if cron.weeks is not None:
        return _weeks(cron, period)
    lines, corrected = pattern(cron, period)
    return Timing(lines, exact_until=_exact_until(cron, period) if corrected else None)


def _exact_until(cron: Cron, period: Period) -> datetime | None:
    """The horizon, unless the trigger itself ends before it."""
    ended = cron.end and cron.end < period.until
    return None if ended or (cron.years and cron.years[-1] <= period.last) else period.until


def pattern(cron: Cron, period: Period) -> tuple[tuple[str, ...], bool]:
    """The lines of a trigger without weeks, and whether a shift ever touches its hours."""
    touched = _touched(cron.zone, period.first, period.last)
    hours = [hour for hour in cron.hours if hour in touched.hours]
    whole, edges = _bounds(cron, period)
    if not hours:
        lines = _zoned(cron, cron.hours, whole)
        return lines + absolute_lines(each.at for each in edges), False
    instants = [each.at for each in edges]
    # A line in the zone never names a time that does not exist or comes twice: what systemd then does depends on the
    # instant at which it looks, on the zone and on the line's other hours, up to failing (decision 0004).
    moved: dict[int, set[date]] = {hour: set() for hour in cron.hours}
    for day, hour in touched.places:
        if hour in moved and cron.wants(day):
            instants.extend(each.at for each in resolve_hour(cron, day, hour) if cron.within(each.at))
            moved[hour].add(day)
    lines = ()
    for excluded, group in by_value((hour, frozenset(days)) for hour, days in moved.items()).items():
        # A line of single dates may name imaginary times only behind the horizon, and systemd fails: it ends there.
        others = without(excluded, period.first)
        if not (cron.days == ALL["day"] and cron.weekdays == ALL["weekday"]):
            others = tuple(_until(each, period.last) for each in others)
        lines += _zoned(cron, tuple(group), whole, others)
    return lines + absolute_lines(instants), True


def _until(window: DateWindow, last: int) -> DateWindow:
    return window._replace(years=window.years and tuple(year for year in window.years if year <= last))


def _zoned(
    cron: Cron, hours: Numbers, whole: Iterable[DateWindow], others: tuple[DateWindow, ...] = ALWAYS
) -> tuple[str, ...]:
    times = TimesOfDay(hours, cron.minutes, cron.seconds)
    return tuple(
        line(last, times, cron.zone)
        for window in whole
        for other in others
        for part in parts(cron)
        for first in cut(part, window)
        for last in cut(first, other)
    )


def _bounds(cron: Cron, period: Period) -> tuple[tuple[DateWindow, ...], list[Occurrence]]:
    """The windows of whole days between start and end, and the runs of the two days that are cut."""
    if not cron.start and not cron.end:
        return ALWAYS, []
    info = zone_info(cron.zone)
    edges = {each.astimezone(info).date() for each in (cron.start, cron.end) if each}
    first = cron.start.astimezone(info).date() + DAY if cron.start else None
    last = cron.end.astimezone(info).date() - DAY if cron.end else None
    if cron.start and cron.start.astimezone(info).replace(tzinfo=None).time() == datetime.min.time():
        first = cron.start.astimezone(info).date()
        edges -= {first} if not cron.end or cron.end.astimezone(info).date() != first else set()
    found = [each for day in sorted(edges) for each in resolve_days(cron, day, day) if cron.within(each.at)]
    if last and (first or date(period.first, 1, 1)) > last:
        return (), found
    return between(first, last, since=period.first), found


@dataclass(frozen=True)
class _Touched:
    """The wall-clock hours that shifts touch, with their dates and alone."""

    places: tuple[tuple[date, int], ...]
    hours: frozenset[int]


@lru_cache(maxsize=1024)
def _touched(zone: str, first: int, last: int) -> _Touched:
    places = tuple(each for shift in shifts(zone, first - 1, last + 1) for each in shift.hours)
    inside = tuple(each for each in places if first <= each[0].year <= last)
    return _Touched(inside, frozenset(hour for _, hour in inside))


@lru_cache(maxsize=1024)
def _offsets(zone: str, first: int, last: int) -> frozenset[int]:
    """Every offset from UTC, in seconds, that the zone has in these years."""
    found: tuple[Shift, ...] = shifts(zone, first - 1, last + 1)
    start = offset_at(zone, datetime(first, 1, 1, tzinfo=UTC))
    return frozenset(int(each.total_seconds()) for each in (start, *(shift.after for shift in found)))


def _as_utc(cron: Cron, period: Period) -> Cron | None:
    """The same trigger in UTC, where that is exact by itself; None where it is not."""
    if cron.weeks is not None:
        return None
    offsets = _offsets(cron.zone, period.first, period.last)
    if offsets == {0}:
        return replace(cron, zone="UTC")
    if cron.every_day and cron.hours == ALL["hour"]:
        found = {_moved_in_hour(cron.minutes, cron.seconds, offset % 3600) for offset in offsets}
        shape = found.pop()
        if found or len(shape) != 1:
            return None
        return replace(cron, zone="UTC", minutes=shape[0].minutes, seconds=shape[0].seconds)
    return _moved_in_day(cron, next(iter(offsets))) if len(offsets) == 1 else None


@lru_cache(maxsize=4096)
def _moved_in_hour(minutes: Numbers, seconds: Numbers, offset: int) -> tuple[TimesOfDay, ...]:
    if offset == 0:
        return (TimesOfDay((0,), minutes, seconds),)
    return rectangles([(minute * 60 + second - offset) % 3600 for minute in minutes for second in seconds])


def _moved_in_day(cron: Cron, offset: int) -> Cron | None:
    """The trigger of a zone with one fixed offset in UTC, where its dates stay what they are."""
    if offset % 3600 and len(cron.seconds) * len(cron.minutes) * len(cron.hours) > DAY_SECONDS // 60:
        return None
    hours = [hour * 3600 - offset for hour in cron.hours]
    latest = hours[-1] + cron.minutes[-1] * 60 + cron.seconds[-1]
    if not cron.every_day and (hours[0] + cron.minutes[0] * 60 < 0 or latest >= DAY_SECONDS):
        return None
    if offset % 3600 == 0:
        moved = tuple(sorted(hour % DAY_SECONDS // 3600 for hour in hours))
        return replace(cron, zone="UTC", hours=moved)
    shape = rectangles([(h + m * 60 + s) % DAY_SECONDS for h in hours for m in cron.minutes for s in cron.seconds])
    return (
        replace(cron, zone="UTC", hours=shape[0].hours, minutes=shape[0].minutes, seconds=shape[0].seconds)
        if len(shape) == 1
        else None
    )


def _weeks(cron: Cron, period: Period) -> Timing:
    """ISO weeks, which OnCalendar does not know: their dates, for as long as the period lasts."""
    day, dates = date(period.first, 1, 1), []
    while day.year <= period.last:
        if cron.wants(day):
            dates.append(day)
        day += DAY
    touched = [(day, hour) for day, hour in _touched(cron.zone, period.first, period.last).places
               if hour in cron.hours and cron.wants(day)]  # fmt: skip
    moved = set(touched)
    info = zone_info(cron.zone)
    cut_days = {each.astimezone(info).date() for each in (cron.start, cron.end) if each}
    low = cron.start.astimezone(info).date() if cron.start else date.min
    high = cron.end.astimezone(info).date() if cron.end else date.max
    plain = {}
    for each in dates:
        hours = tuple(hour for hour in cron.hours if (each, hour) not in moved)
        if hours and low <= each <= high and each not in cut_days:
            plain[each.year, each.month, each.day] = hours
    instants = [run.at for day, hour in touched for run in resolve_hour(cron, day, hour) if cron.within(run.at)]
    instants += [run.at for each in cut_days for run in resolve_days(cron, each, each) if cron.within(run.at)]
    lines = tuple(
        line(group, TimesOfDay(hours, cron.minutes, cron.seconds), cron.zone)
        for hours, groups in dates_in_groups(plain).items()
        for group in groups
    ) + absolute_lines(instants)
    return Timing(lines, exact_until=_exact_until(cron, period))
