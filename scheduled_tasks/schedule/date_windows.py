"""Windows of dates: a trigger's dates cut to a period, or with single dates taken out.

In come a cron trigger's date fields and the dates that must not match; out come Dates that OnCalendar can say. Imports
the standard library and the room's values.
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
    """Some dates: all of these hold. `years` is None for any, `days` None for all of the month."""

    years: Numbers | None = None
    months: Numbers = ALL["month"]
    days: Numbers | None = None
    weekdays: Numbers = ALL["weekday"]


ALWAYS = (DateWindow(),)


def parts(cron: Cron) -> list[Dates]:
    """The date fields as Dates, of which each line takes one: OnCalendar lines are ORed."""
    found = []
    if cron.days:
        found.append(Dates(cron.weekdays, cron.years, cron.months, cron.days))
    if cron.last_day:
        found.append(Dates(cron.weekdays, cron.years, cron.months, from_end=1))
    for nth, weekday in cron.positions:
        if weekday not in cron.weekdays:
            continue
        if nth == LAST:
            found.append(Dates((weekday,), cron.years, cron.months, from_end=7))
        else:
            days = tuple(range(7 * nth - 6, min(7 * nth, 31) + 1))
            found.append(Dates((weekday,), cron.years, cron.months, days))
    return found


def between(first: date | None, last: date | None, *, since: int) -> tuple[DateWindow, ...]:
    """Windows over the dates from `first` to `last`, both included; None is no bound. `since` is a year."""
    if first is None and last is None:
        return ALWAYS
    low, high = first or date(since, 1, 1), last or date(LAST_YEAR, 12, 31)
    if low > high:
        return ()
    if (low.year, low.month) == (high.year, high.month):
        return (DateWindow((low.year,), (low.month,), tuple(range(low.day, high.day + 1))),)
    found = []
    if low.day > 1:
        found.append(DateWindow((low.year,), (low.month,), tuple(range(low.day, 32))))
        low = date(low.year + low.month // 12, low.month % 12 + 1, 1)
    if high.day < month_length(high.year, high.month):
        found.append(DateWindow((high.year,), (high.month,), tuple(range(1, high.day + 1))))
        high = date(high.year - (high.month == 1), (high.month - 2) % 12 + 1, 1)
    years: dict[int, Numbers] = {}
    for year in range(low.year, high.year + 1):
        months = range(low.month if year == low.year else 1, (high.month if year == high.year else 12) + 1)
        if months:
            years[year] = tuple(months)
    found.extend(DateWindow(tuple(group), months) for months, group in by_value(years.items()).items())
    return tuple(found)


@lru_cache(maxsize=4096)
def without(dates: frozenset[date], since: int) -> tuple[DateWindow, ...]:
    """Windows over all dates from the year `since` on, but for these."""
    if not dates:
        return ALWAYS
    excluded: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for day in dates:
        excluded[day.month][day.year].add(day.day)
    found = []
    others = tuple(month for month in ALL["month"] if month not in excluded)
    if others:
        found.append(DateWindow(None, others))
    ruled: list[tuple[int, tuple[NthWeekday, Numbers]]] = []
    for month, years in sorted(excluded.items()):
        of_month = [day for day in dates if day.month == month]
        if rule := nth_weekday(of_month):
            ruled.append((month, (rule, tuple(sorted(years)))))
            continue
        for days, group in by_value((year, frozenset(each)) for year, each in sorted(years.items())).items():
            found.append(DateWindow(tuple(group), (month,), tuple(d for d in ALL["day"] if d not in days)))
        found.append(DateWindow(tuple(y for y in range(since, LAST_YEAR + 1) if y not in years), (month,)))
    for (rule, spanned), months in by_value(ruled).items():
        months_of_rule = tuple(months)
        found.append(DateWindow(spanned, months_of_rule, tuple(d for d in ALL["day"] if d not in rule.days)))
        weekdays = tuple(each for each in ALL["weekday"] if each != rule.weekday)
        found.append(DateWindow(spanned, months_of_rule, rule.days, weekdays))
        found.append(DateWindow(tuple(y for y in range(since, LAST_YEAR + 1) if y not in spanned), months_of_rule))
    return tuple(found)


def cut(dates: Dates, window: DateWindow) -> Iterator[Dates]:
    """The part of `dates` that lies in the window."""
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
    """Days counted from the month's end, as days of those months, which a window of days can cut."""
    for month in dates.months:
        lengths = by_value((year, month_length(year, month)) for year in dates.years or ())
        for length, years in lengths.items():
            left = tuple(day for day in range(length - dates.from_end + 1, length + 1) if day in days)
            if left:
                yield Dates(dates.weekdays, tuple(years), (month,), left)


def _both(some: Numbers | None, others: Numbers | None) -> Numbers | None:
    if some is None or others is None:
        return others if some is None else some
    return tuple(value for value in some if value in set(others))
