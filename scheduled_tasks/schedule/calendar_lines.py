"""Write OnCalendar values: sets of numbers and sets of instants as systemd's lines.

Sorted numbers or UTC instants go in; lines in the grammar of systemd.time(7) come out, few but not always the
fewest possible. This module knows no rules of time zones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple, TypeVar

from scheduled_tasks.schedule.trigger import ALL, month_length

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Numbers = tuple[int, ...]
Key = TypeVar("Key", bound=Hashable)
Member = TypeVar("Member", bound=Hashable)


class TimesOfDay(NamedTuple):
    """Times of a day: every combination of these hours, minutes and seconds."""

    hours: Numbers
    minutes: Numbers
    seconds: Numbers


class Dates(NamedTuple):
    """Dates for which all fields match. `years` is None for any; `from_end` is 1 (last day) or 7 (last seven)."""

    weekdays: Numbers = ALL["weekday"]
    years: Numbers | None = None
    months: Numbers = ALL["month"]
    days: Numbers = ALL["day"]
    from_end: int = 0


def calendar_line(dates: Dates, times: TimesOfDay, zone: str) -> str:
    """One OnCalendar value."""
    weekdays = "" if dates.weekdays == ALL["weekday"] else f"{_ranges_text(dates.weekdays, WEEKDAYS.__getitem__)} "
    years = "*" if dates.years is None else numbers(dates.years, None, 4)
    months = numbers(dates.months, ALL["month"], 2)
    days = f"-{numbers(dates.days, ALL['day'], 2)}"
    if dates.from_end:
        days = "~01" if dates.from_end == 1 else "~07/1"
    fields = zip(times, ("hour", "minute", "second"), strict=True)
    time_of_day = ":".join(numbers(values, ALL[field], 2) for values, field in fields)
    return f"{weekdays}{years}-{months}{days} {time_of_day} {zone}"


@lru_cache(maxsize=4096)
def numbers(values: Numbers, everything: Numbers | None, width: int) -> str:
    """Sorted numbers as systemd writes them: `*`, `00..55/5`, `09..17`, `01,15`."""
    if values == everything:
        return "*"
    if len(values) > 2:  # noqa: PLR2004 - two numbers are a list
        step = values[1] - values[0]
        if step > 1 and values == tuple(range(values[0], values[-1] + 1, step)):
            # Never `00/5`: systemd counts on past the last value (25 o'clock), and in the night of a shift it then
            # skips the next midnight or fails with "Resource deadlock avoided" (252 and 257).
            return f"{values[0]:0{width}}..{values[-1]:0{width}}/{step}"
    return _ranges_text(values, lambda value: f"{value:0{width}}")


def ranges(values: Iterable[int]) -> list[tuple[int, int]]:
    """The ranges of consecutive numbers among sorted ones, as (first, last)."""
    result: list[tuple[int, int]] = []
    for value in values:
        if result and value == result[-1][1] + 1:
            result[-1] = result[-1][0], value
        else:
            result.append((value, value))
    return result


def _ranges_text(values: Numbers, text: Callable[[int], str]) -> str:
    return ",".join(
        text(first) if first == last else f"{text(first)}{'..' if last - first > 1 else ','}{text(last)}"
        for first, last in ranges(values)
    )


def by_value(pairs: Iterable[tuple[Member, Key]]) -> dict[Key, list[Member]]:
    """Group the members of (member, value) pairs by value, in their order."""
    groups: dict[Key, list[Member]] = defaultdict(list)
    for member, value in pairs:
        groups[value].append(member)
    return groups


def time_combinations(seconds_of_day: Collection[int]) -> tuple[TimesOfDay, ...]:
    """Times of a day, in seconds since midnight, as combinations of hours, minutes and seconds."""
    minutes: dict[int, list[int]] = defaultdict(list)
    for value in sorted(set(seconds_of_day)):
        minutes[value // 60].append(value % 60)
    hours: dict[int, list[tuple[int, Numbers]]] = defaultdict(list)
    for minute, seconds in minutes.items():
        hours[minute // 60].append((minute % 60, tuple(seconds)))
    alike = by_value(
        (hour, tuple((tuple(minutes), seconds) for seconds, minutes in by_value(inside).items()))
        for hour, inside in hours.items()
    )
    return tuple(
        TimesOfDay(tuple(members), minutes, seconds)
        for minutes_and_seconds, members in alike.items()
        for minutes, seconds in minutes_and_seconds
    )


class NthWeekday(NamedTuple):
    """One date a year: a weekday within seven consecutive days of a month."""

    weekday: int
    days: Numbers


def nth_weekday(dates: Collection[date]) -> NthWeekday | None:
    """The rule that yields these dates of one month, or None; needs one date in each of three or more successive years.

    Most zones move their clock by such rules; one line then replaces ten lines for ten years.
    """
    years = sorted(day.year for day in dates)
    if len(years) < 3 or years != list(range(years[0], years[0] + len(years))):  # noqa: PLR2004
        return None
    low, high = min(day.day for day in dates), max(day.day for day in dates)
    weekdays = {day.weekday() for day in dates}
    if len(weekdays) > 1 or high - low > 6:  # noqa: PLR2004 - seven successive days have each weekday once
        return None
    # Of the weeks that contain them all, take the one that a person would name: the month's last, or its 1st to 4th.
    length = min(month_length(day.year, day.month) for day in dates)
    weeks = [first for first in range(max(high - 6, 1), low + 1) if first + 6 <= max(length, high)]
    named = [first for first in weeks if first + 6 == length] or [first for first in weeks if first % 7 == 1]
    first = (named or weeks)[0]
    return NthWeekday(weekdays.pop(), tuple(range(first, first + 7)))


def dates_in_groups(days: Mapping[tuple[int, int, int], Key]) -> dict[Key, list[Dates]]:
    """Invert a mapping from (year, month, day) to values: for each value its dates, as few Dates."""
    result: dict[Key, list[Dates]] = {}
    for value, dates in by_value(sorted(days.items())).items():
        ruled, members = _by_rule(dates)
        lists: dict[tuple[int, int], list[int]] = defaultdict(list)
        for year, month, day in members:
            lists[year, month].append(day)
        by_days = by_value((year_month, tuple(days_of_month)) for year_month, days_of_month in lists.items())
        groups: list[Dates] = []
        for days_of_month, year_months in by_days.items():
            by_year = by_value((month, year) for year, month in year_months)
            alike = by_value((year, tuple(months)) for year, months in by_year.items())
            groups.extend(
                Dates(years=tuple(years), months=months, days=days_of_month) for months, years in alike.items()
            )
        result[value] = ruled + sorted(groups, key=lambda group: (group.years or (), group.months, group.days))
    return result


def _by_rule(days: Collection[tuple[int, int, int]]) -> tuple[list[Dates], list[tuple[int, int, int]]]:
    """The dates that follow a rule for their month, as Dates; and the others."""
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
    """UTC lines that fire at exactly these UTC instants."""
    days: dict[tuple[int, int, int], set[int]] = defaultdict(set)
    for at in instants:
        days[at.year, at.month, at.day].add(at.hour * 3600 + at.minute * 60 + at.second)
    times_by_day = {day: time_combinations(seconds) for day, seconds in days.items()}
    return tuple(
        calendar_line(dates, times, "UTC")
        for times_of_day, groups in dates_in_groups(times_by_day).items()
        for dates in groups
        for times in times_of_day
    )
