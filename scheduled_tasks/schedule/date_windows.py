"""Windows of dates: restrict a trigger's dates to a period, or exclude single dates.

A cron trigger's date fields and the dates that must not match go in; Dates that OnCalendar can express come out.
Imports only the standard library and this package's values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from scheduled_tasks.schedule.calendar_lines import Dates, NthWeekday, Numbers, by_value, nth_weekday
from scheduled_tasks.schedule.trigger import ALL, LAST, LAST_YEAR, Cron, month_length


class DateWindow(NamedTuple):
    """A set of dates: all fields match. `years` is None for any, `days` None for all days of the month."""

    years: Numbers | None = None
    months: Numbers = ALL["month"]
    days: Numbers | None = None
    weekdays: Numbers = ALL["weekday"]


ALWAYS = (DateWindow(),)


def date_alternatives(cron: Cron) -> list[Dates]:
    """The date fields as Dates, one for each line: OnCalendar lines are ORed."""
    alternatives = []
    if cron.days:
        alternatives.append(Dates(cron.weekdays, cron.years, cron.months, cron.days))
    if cron.last_day:
        alternatives.append(Dates(cron.weekdays, cron.years, cron.months, from_end=1))
    for nth, weekday in cron.positions:
        if weekday not in cron.weekdays:
            continue
        if nth == LAST:
            alternatives.append(Dates((weekday,), cron.years, cron.months, from_end=7))
        else:
            days = tuple(range(7 * nth - 6, min(7 * nth, 31) + 1))
            alternatives.append(Dates((weekday,), cron.years, cron.months, days))
    return alternatives


def windows_between(first: date | None, last: date | None, *, since: int) -> tuple[DateWindow, ...]:
    """Windows over the dates from `first` to `last`, both inclusive; None is no bound. `since` is a year."""
    if first is None and last is None:
        return ALWAYS
    low, high = first or date(since, 1, 1), last or date(LAST_YEAR, 12, 31)
    if low > high:
        return ()
    if (low.year, low.month) == (high.year, high.month):
        return (DateWindow((low.year,), (low.month,), tuple(range(low.day, high.day + 1))),)
    windows = []
    if low.day > 1:
        windows.append(DateWindow((low.year,), (low.month,), tuple(range(low.day, 32))))
        low = date(low.year + low.month // 12, low.month % 12 + 1, 1)
    if high.day < month_length(high.year, high.month):
        windows.append(DateWindow((high.year,), (high.month,), tuple(range(1, high.day + 1))))
        high = date(high.year - (high.month == 1), (high.month - 2) % 12 + 1, 1)
    years: dict[int, Numbers] = {}
    for year in range(low.year, high.year + 1):
        months = range(low.month if year == low.year else 1, (high.month if year == high.year else 12) + 1)
        if months:
            years[year] = tuple(months)
    windows.extend(DateWindow(tuple(group), months) for months, group in by_value(years.items()).items())
    return tuple(windows)


@lru_cache(maxsize=4096)
def windows_without(dates: frozenset[date], since: int) -> tuple[DateWindow, ...]:
    """Windows over all dates from the year `since` on, except these."""
    if not dates:
        return ALWAYS
    excluded: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for day in dates:
        excluded[day.month][day.year].add(day.day)
    windows = []
    others = tuple(month for month in ALL["month"] if month not in excluded)
    if others:
        windows.append(DateWindow(None, others))
    ruled: list[tuple[int, tuple[NthWeekday, Numbers]]] = []
    for month, years in sorted(excluded.items()):
        of_month = [day for day in dates if day.month == month]
        if rule := nth_weekday(of_month):
            ruled.append((month, (rule, tuple(sorted(years)))))
            continue
        for days, group in by_value((year, frozenset(days)) for year, days in sorted(years.items())).items():
            windows.append(DateWindow(tuple(group), (month,), tuple(day for day in ALL["day"] if day not in days)))
        windows.append(DateWindow(tuple(year for year in range(since, LAST_YEAR + 1) if year not in years), (month,)))
    for (rule, spanned), months in by_value(ruled).items():
        months_of_rule = tuple(months)
        windows.append(DateWindow(spanned, months_of_rule, tuple(day for day in ALL["day"] if day not in rule.days)))
        weekdays = tuple(weekday for weekday in ALL["weekday"] if weekday != rule.weekday)
        windows.append(DateWindow(spanned, months_of_rule, rule.days, weekdays))
        windows.append(
            DateWindow(tuple(year for year in range(since, LAST_YEAR + 1) if year not in spanned), months_of_rule)
        )
    return tuple(windows)


def intersection(dates: Dates, window: DateWindow) -> Iterator[Dates]:
    """The part of `dates` that is in the window."""
    years = _both(dates.years, window.years)
    months = tuple(month for month in dates.months if month in window.months)
    weekdays = tuple(weekday for weekday in dates.weekdays if weekday in window.weekdays)
    if years == () or not months or not weekdays:
        return
    dates = dates._replace(weekdays=weekdays)
    if window.days is None:
        yield dates._replace(years=years, months=months)
    elif not dates.from_end:
        days = tuple(day for day in dates.days if day in window.days)
        if days:
            yield dates._replace(years=years, months=months, days=days)
    else:
        yield from _end_of_month(dates._replace(years=years, months=months), window.days)


def _end_of_month(dates: Dates, days: Collection[int]) -> Iterator[Dates]:
    """Days counted from the end of the month, as days of each month, so that a window of days can restrict them."""
    for month in dates.months:
        lengths = by_value((year, month_length(year, month)) for year in dates.years or ())
        for length, years in lengths.items():
            last_days = tuple(day for day in range(length - dates.from_end + 1, length + 1) if day in days)
            if last_days:
                yield Dates(dates.weekdays, tuple(years), (month,), last_days)


def _both(some: Numbers | None, others: Numbers | None) -> Numbers | None:
    if some is None or others is None:
        return others if some is None else some
    return tuple(value for value in some if value in set(others))
