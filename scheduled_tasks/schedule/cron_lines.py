"""Translate cron triggers: lines in the job's zone, and absolute UTC lines for the hours that a shift affects.

A Cron and a Period go in; a Timing comes out. If UTC lines alone are exact, they are used. How systemd handles gaps and
folds was measured (252 and 257); decision 0004 has the results.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache

from scheduled_tasks.schedule.calendar_lines import (
    Numbers,
    TimesOfDay,
    absolute_lines,
    by_value,
    calendar_line,
    dates_in_groups,
    time_combinations,
)
from scheduled_tasks.schedule.date_windows import (
    ALWAYS,
    DateWindow,
    date_alternatives,
    intersection,
    windows_between,
    windows_without,
)
from scheduled_tasks.schedule.evaluator import Occurrence, resolve_days, resolve_hour
from scheduled_tasks.schedule.timing import Period, Timing
from scheduled_tasks.schedule.trigger import ALL, Cron
from scheduled_tasks.schedule.zone import DAY, is_fixed, midnight, offset_at, shifts, zone_info

DAY_SECONDS = 86400
QUARTERS = (0, 900, 1800, 2700)  # the offset of every zone is a whole number of quarters of an hour


def cron_timing(cron: Cron, period: Period) -> Timing:
    """The Timing of a cron trigger."""
    if cron.start and cron.start <= period.now:
        cron = replace(cron, start=None)  # it has already begun, so it restricts nothing
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
    """The lines of a trigger without weeks, and whether a shift affects its hours in the period."""
    shifted = _shifted_hours(cron.zone, period.first, period.last)
    whole, edges = _bounds(cron, period)
    if all(hour not in cron.hours for _, hour in shifted):
        lines = _zoned(cron, cron.hours, whole)
        return lines + absolute_lines(run.at for run in edges), False
    instants = [run.at for run in edges]
    # A zoned line must never name a time that does not exist or occurs twice: what systemd does then depends on the
    # instant at which it evaluates the line, the zone and the line's other hours; it can even fail (decision 0004).
    moved: dict[int, set[date]] = {hour: set() for hour in cron.hours}
    for day, hour in shifted:
        if hour in moved and cron.wants(day):
            instants.extend(run.at for run in resolve_hour(cron, day, hour) if cron.within(run.at))
            moved[hour].add(day)
    lines = ()
    for excluded, group in by_value((hour, frozenset(days)) for hour, days in moved.items()).items():
        # If the only remaining dates of a line are after the horizon and name imaginary times, systemd fails. So a line
        # of single dates ends at the horizon.
        others = windows_without(excluded, period.first)
        if not (cron.days == ALL["day"] and cron.weekdays == ALL["weekday"]):
            others = tuple(_until(window, period.last) for window in others)
        lines += _zoned(cron, tuple(group), whole, others)
    return lines + absolute_lines(instants), True


def _until(window: DateWindow, last: int) -> DateWindow:
    return window._replace(years=window.years and tuple(year for year in window.years if year <= last))


def _zoned(
    cron: Cron, hours: Numbers, whole: Iterable[DateWindow], others: tuple[DateWindow, ...] = ALWAYS
) -> tuple[str, ...]:
    times = TimesOfDay(hours, cron.minutes, cron.seconds)
    return tuple(
        calendar_line(dates, times, cron.zone)
        for window in whole
        for other in others
        for alternative in date_alternatives(cron)
        for bounded in intersection(alternative, window)
        for dates in intersection(bounded, other)
    )


def _bounds(cron: Cron, period: Period) -> tuple[tuple[DateWindow, ...], list[Occurrence]]:
    """The windows of the whole days between start and end, and the runs of the partial days at both ends."""
    if not cron.start and not cron.end:
        return ALWAYS, []
    info = zone_info(cron.zone)
    edges = {bound.astimezone(info).date() for bound in (cron.start, cron.end) if bound}
    first = cron.start.astimezone(info).date() + DAY if cron.start else None
    last = cron.end.astimezone(info).date() - DAY if cron.end else None
    if cron.start and cron.start.astimezone(info).replace(tzinfo=None).time() == datetime.min.time():
        first = cron.start.astimezone(info).date()
        edges -= {first} if not cron.end or cron.end.astimezone(info).date() != first else set()
    runs = [run for day in sorted(edges) for run in resolve_days(cron, day, day) if cron.within(run.at)]
    if last and (first or date(period.first, 1, 1)) > last:
        return (), runs
    return windows_between(first, last, since=period.first), runs


@lru_cache(maxsize=1024)
def _shifted_hours(zone: str, first: int, last: int) -> tuple[tuple[date, int], ...]:
    """The wall-clock hours that shifts affect in these years, with their dates."""
    hours = (hour for shift in shifts(zone, first - 1, last + 1) for hour in shift.hours)
    return tuple((day, hour) for day, hour in hours if first <= day.year <= last)


@lru_cache(maxsize=1024)
def _offsets(zone: str, first: int, last: int) -> frozenset[int]:
    """Every offset from UTC, in seconds, that the zone has in these years."""
    start = offset_at(zone, datetime(first, 1, 1, tzinfo=UTC))
    offsets = (start, *(shift.after for shift in shifts(zone, first - 1, last + 1)))
    return frozenset(int(offset.total_seconds()) for offset in offsets)


def _as_utc(cron: Cron, period: Period) -> Cron | None:
    """The same trigger in UTC if that is exact without absolute lines, otherwise None.

    The offset of a zone that is a place can change by law. A line in the zone needs nothing but an updated tzdata then.
    So a place's trigger is in UTC only if such a change would not matter, or if a line in the zone is not exact.
    """
    offsets = _offsets(cron.zone, period.first, period.last)
    if cron.weeks is not None:
        return None
    if cron.every_day and cron.hours == ALL["hour"]:
        matters = len({_moved_in_hour(cron.minutes, cron.seconds, offset) for offset in QUARTERS}) > 1
        if matters and len(offsets) == 1 and not is_fixed(cron.zone):
            return None
        variants = {_moved_in_hour(cron.minutes, cron.seconds, offset % 3600) for offset in offsets}
        times = variants.pop()
        if variants or len(times) != 1:
            return None
        return replace(cron, zone="UTC", minutes=times[0].minutes, seconds=times[0].seconds)
    return _moved_in_day(cron, next(iter(offsets))) if is_fixed(cron.zone) else None


@lru_cache(maxsize=4096)
def _moved_in_hour(minutes: Numbers, seconds: Numbers, offset: int) -> tuple[TimesOfDay, ...]:
    if offset == 0:
        return (TimesOfDay((0,), minutes, seconds),)
    return time_combinations([(minute * 60 + second - offset) % 3600 for minute in minutes for second in seconds])


def _moved_in_day(cron: Cron, offset: int) -> Cron | None:
    """The trigger of a zone with one fixed offset, in UTC, if its dates stay the same."""
    if offset % 3600 and len(cron.seconds) * len(cron.minutes) * len(cron.hours) > DAY_SECONDS // 60:
        return None
    hours = [hour * 3600 - offset for hour in cron.hours]
    latest = hours[-1] + cron.minutes[-1] * 60 + cron.seconds[-1]
    if not cron.every_day and (hours[0] + cron.minutes[0] * 60 < 0 or latest >= DAY_SECONDS):
        return None
    if offset % 3600 == 0:
        return replace(cron, zone="UTC", hours=tuple(sorted(hour % DAY_SECONDS // 3600 for hour in hours)))
    times = time_combinations(
        [(h + m * 60 + s) % DAY_SECONDS for h in hours for m in cron.minutes for s in cron.seconds]
    )
    if len(times) != 1:
        return None
    return replace(cron, zone="UTC", hours=times[0].hours, minutes=times[0].minutes, seconds=times[0].seconds)


def _weeks(cron: Cron, period: Period) -> Timing:
    """ISO weeks, which OnCalendar does not support: their dates, one by one until the end of the period, in UTC.

    In the zone they would be as exact, but PID 1 takes milliseconds to evaluate each line in a zone.
    """
    info = zone_info(cron.zone)
    cut = {bound.astimezone(info).date() for bound in (cron.start, cron.end) if bound}  # days that a bound cuts
    cut |= {day for day, _ in _shifted_hours(cron.zone, period.first, period.last)}
    low = cron.start.astimezone(info).date() if cron.start else date.min
    high = cron.end.astimezone(info).date() if cron.end else date.max
    days_of: dict[TimesOfDay, dict[tuple[int, int, int], None]] = defaultdict(dict)
    instants = []
    day = date(period.first, 1, 1)
    while day.year <= period.last:
        if day in cut:
            instants += [run.at for run in resolve_days(cron, day, day) if cron.within(run.at)]
        elif low <= day <= high and cron.wants(day):
            offset = int(offset_at(cron.zone, midnight(cron.zone, day)).total_seconds())
            for days, times in _times_in_utc(cron.hours, cron.minutes, cron.seconds, offset):
                in_utc = day + days * DAY
                days_of[times][in_utc.year, in_utc.month, in_utc.day] = None
        day += DAY
    lines = tuple(
        calendar_line(group, times, "UTC") for times, days in days_of.items() for group in dates_in_groups(days)[None]
    )
    return Timing(lines + absolute_lines(instants), exact_until=_exact_until(cron, period))


@lru_cache(maxsize=1024)
def _times_in_utc(
    hours: Numbers, minutes: Numbers, seconds: Numbers, offset: int
) -> tuple[tuple[int, TimesOfDay], ...]:
    """A day's times at this offset, in UTC: with the days from the local date to the one in UTC, -1, 0 or 1."""
    instants = [h * 3600 + m * 60 + s - offset for h in hours for m in minutes for s in seconds]
    by_day = by_value((at % DAY_SECONDS, at // DAY_SECONDS) for at in instants)
    return tuple((days, times) for days, members in by_day.items() for times in time_combinations(members))
