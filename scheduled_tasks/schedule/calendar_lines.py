"""OnCalendar text: sets of numbers, and sets of instants, as the lines systemd reads.

In come sorted numbers or UTC instants; out come as few lines as is easy, in systemd's own grammar (systemd.time(7)).
Nothing here knows a rule about time zones.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple, TypeVar

from scheduled_tasks.schedule.trigger import ALL

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Numbers = tuple[int, ...]
Key = TypeVar("Key", bound=Hashable)
Member = TypeVar("Member", bound=Hashable)


class TimesOfDay(NamedTuple):
    """TimesOfDay of a day: every combination of the three."""

    hours: Numbers
    minutes: Numbers
    seconds: Numbers


class Dates(NamedTuple):
    """Dates: all of these hold. `years` is None for any; `from_end` is 1 (the last day) or 7 (the last seven)."""

    weekdays: Numbers = ALL["weekday"]
    years: Numbers | None = None
    months: Numbers = ALL["month"]
    days: Numbers = ALL["day"]
    from_end: int = 0


def line(dates: Dates, times: TimesOfDay, zone: str) -> str:
    """One OnCalendar value."""
    weekdays = "" if dates.weekdays == ALL["weekday"] else f"{_weekdays(dates.weekdays)} "
    years = "*" if dates.years is None else numbers(dates.years, None, 4)
    months = numbers(dates.months, ALL["month"], 2)
    days = f"-{numbers(dates.days, ALL['day'], 2)}"
    if dates.from_end:
        days = "~01" if dates.from_end == 1 else "~07/1"
    clock = ":".join(
        (
            numbers(times.hours, ALL["hour"], 2),
            numbers(times.minutes, ALL["minute"], 2),
            numbers(times.seconds, ALL["second"], 2),
        )
    )
    return f"{weekdays}{years}-{months}{days} {clock} {zone}"


@lru_cache(maxsize=4096)
def numbers(values: Numbers, everything: Numbers | None, width: int) -> str:
    """Sorted numbers as systemd writes them: `*`, `00..55/5`, `09..17`, `01,15`."""
    if values == everything:
        return "*"
    if len(values) > 2:  # noqa: PLR2004 - two numbers are a list
        step = values[1] - values[0]
        if step > 1 and values == tuple(range(values[0], values[-1] + 1, step)):
            # Never `00/5`: past the last value systemd counts on (25 o'clock), which on the night of a shift loses the
            # next day's midnight, or fails with "Resource deadlock avoided" (252 and 257).
            return f"{values[0]:0{width}}..{values[-1]:0{width}}/{step}"
    return ",".join(
        f"{first:0{width}}" if first == last
        else f"{first:0{width}}..{last:0{width}}" if last - first > 1
        else f"{first:0{width}},{last:0{width}}"
        for first, last in runs(values)
    )  # fmt: skip


def runs(values: Iterable[int]) -> list[tuple[int, int]]:
    """The unbroken runs of sorted numbers, as (first, last)."""
    found: list[tuple[int, int]] = []
    for value in values:
        if found and value == found[-1][1] + 1:
            found[-1] = found[-1][0], value
        else:
            found.append((value, value))
    return found


def _weekdays(values: Numbers) -> str:
    return ",".join(
        WEEKDAYS[first] if first == last
        else f"{WEEKDAYS[first]}{'..' if last - first > 1 else ','}{WEEKDAYS[last]}"
        for first, last in runs(values)
    )  # fmt: skip


def by_value(pairs: Iterable[tuple[Member, Key]]) -> dict[Key, list[Member]]:
    """The members that share a value, under it, in the order in which they come."""
    found: dict[Key, list[Member]] = defaultdict(list)
    for member, value in pairs:
        found[value].append(member)
    return found


def rectangles(seconds_of_day: Collection[int]) -> tuple[TimesOfDay, ...]:
    """TimesOfDay of a day, in seconds since midnight, as combinations of hours, minutes and seconds."""
    minutes: dict[int, list[int]] = defaultdict(list)
    for value in sorted(set(seconds_of_day)):
        minutes[value // 60].append(value % 60)
    hours: dict[int, list[tuple[int, Numbers]]] = defaultdict(list)
    for minute, seconds in minutes.items():
        hours[minute // 60].append((minute % 60, tuple(seconds)))
    found: list[TimesOfDay] = []
    alike = by_value(
        (hour, tuple((tuple(minutes), seconds) for seconds, minutes in by_value(inside).items()))
        for hour, inside in hours.items()
    )
    for shapes, members in alike.items():
        found.extend(TimesOfDay(tuple(members), minutes, seconds) for minutes, seconds in shapes)
    return tuple(found)


class NthWeekday(NamedTuple):
    """One date a year: the only such weekday among seven days in a row of a month."""

    weekday: int
    days: Numbers


def nth_weekday(dates: Collection[date]) -> NthWeekday | None:
    """What dates of one month have in common, where they are a rule's: one in each of at least three years in a row.

    Most zones move their clock by such rules, and one line says for ten years what would be ten lines else.
    """
    years = sorted(each.year for each in dates)
    if len(years) < 3 or years != list(range(years[0], years[0] + len(years))):  # noqa: PLR2004
        return None
    low, high = min(each.day for each in dates), max(each.day for each in dates)
    weekdays = {each.weekday() for each in dates}
    if len(weekdays) > 1 or high - low > 6:  # noqa: PLR2004 - seven days in a row have each weekday once
        return None
    # Of the weeks that hold them all, the one that a person would name: the month's last, else its first to fourth.
    length = min(monthrange(each.year, each.month)[1] for each in dates)
    weeks = [first for first in range(max(high - 6, 1), low + 1) if first + 6 <= max(length, high)]
    named = [first for first in weeks if first + 6 == length] or [first for first in weeks if first % 7 == 1]
    first = (named or weeks)[0]
    return NthWeekday(weekdays.pop(), tuple(range(first, first + 7)))


def dates_in_groups(days: Mapping[tuple[int, int, int], Key]) -> dict[Key, list[Dates]]:
    """(year, month, day) → whatever each date goes with, as few Dates for each such value."""
    found: dict[Key, list[Dates]] = {}
    for value, every in by_value(sorted(days.items())).items():
        ruled, members = _by_rule(every)
        lists: dict[tuple[int, int], list[int]] = defaultdict(list)
        for year, month, day in members:
            lists[year, month].append(day)
        by_days = by_value((place, tuple(each)) for place, each in lists.items())
        groups: list[Dates] = []
        for each, places in by_days.items():
            year_months = by_value((month, year) for year, month in places)
            alike = by_value((year, tuple(months)) for year, months in year_months.items())
            groups.extend(Dates(years=tuple(years), months=months, days=each) for months, years in alike.items())
        found[value] = ruled + sorted(groups, key=lambda each: (each.years or (), each.months, each.days))
    return found


def _by_rule(days: Collection[tuple[int, int, int]]) -> tuple[list[Dates], list[tuple[int, int, int]]]:
    """The dates that a rule says, a month each, as Dates; and the others."""
    ruled: list[tuple[int, tuple[NthWeekday, Numbers]]] = []
    others: list[tuple[int, int, int]] = []
    for month, members in by_value((day, day[1]) for day in days).items():
        rule = nth_weekday([date(*day) for day in members])
        if rule is None:
            others += members
        else:
            ruled.append((month, (rule, tuple(sorted(day[0] for day in members)))))
    return [
        Dates((rule.weekday,), years, tuple(months), rule.days) for (rule, years), months in by_value(ruled).items()
    ], sorted(others)


def absolute_lines(instants: Iterable[datetime]) -> tuple[str, ...]:
    """UTC lines which fire at exactly these UTC instants."""
    days: dict[tuple[int, int, int], set[int]] = defaultdict(set)
    for at in instants:
        days[at.year, at.month, at.day].add(at.hour * 3600 + at.minute * 60 + at.second)
    shapes = {day: rectangles(times) for day, times in days.items()}
    return tuple(
        line(dates, times, "UTC")
        for group, found in dates_in_groups(shapes).items()
        for dates in found
        for times in group
    )
