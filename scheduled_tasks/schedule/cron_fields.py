"""Read cron fields in APScheduler's language, with APScheduler's own parser.

A field's name and value go in; its numbers come out, or a fault that says what to write. APScheduler 3.11 parses and
validates; the parts it would silently drop (`mon-fri/2`, `lastly`) are reported as faults first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.cron.expressions import (
    MONTHS,
    WEEKDAYS,
    LastDayOfMonthExpression,
    RangeExpression,
    WeekdayPositionExpression,
)
from apscheduler.triggers.cron.fields import MAX_VALUES, MIN_VALUES

from scheduled_tasks.faults import Fault
from scheduled_tasks.schedule.trigger import LAST, LAST_YEAR

# Items that APScheduler reads to the last character: its own patterns for names are not anchored at the end.
NUMBERS = r"\*(/\d+)?|\d+(-\d+)?(/\d+)?"
WHOLE = {
    "month": rf"{NUMBERS}|[a-z]+(-[a-z]+)?",
    "day_of_week": rf"{NUMBERS}|[a-z]+(-[a-z]+)?",
    "day": rf"{NUMBERS}|last|(1st|2nd|3rd|4th|5th|last) +[a-z]+",
}
NAMES = {"month": MONTHS, "day_of_week": WEEKDAYS}
EXAMPLES = {
    "year": "a year such as 2027, or 2027-2030",
    "month": "1-12 or jan-dec, e.g. month='jan,jul'",
    "day": "1-31, last, or e.g. day='2nd fri' or day='last sun'",
    "week": "an ISO week, 1-53",
    "day_of_week": "mon-sun or 0-6 (0 is Monday), e.g. day_of_week='mon-fri'",
    "hour": "0-23, e.g. hour='*/6' or hour='9-17'",
    "minute": "0-59, e.g. minute='*/15'",
    "second": "0-59",
}


@dataclass(frozen=True)
class Field:
    """The parsed values of one field. Only `day` has `last_day` and `positions`."""

    numbers: tuple[int, ...]
    last_day: bool = False
    positions: tuple[tuple[int, int], ...] = ()
    everything: bool = False
    numeric: bool = False


def read_field(name: str, value: object) -> Field | Fault:
    """Parse a field, or return its fault and what to write instead."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        problem = f"{type(value).__name__} is neither a number nor text"
        return Fault(problem, f"write {EXAMPLES[name]}", name, repr(value))
    return _read(name, value)


@lru_cache(maxsize=4096, typed=True)  # most fields of a project's jobs have one of a few values
def _read(name: str, value: int | str) -> Field | Fault:
    shown = repr(value)
    for item in map(str.strip, str(value).split(",")):
        if fault := _misread(name, item, shown):
            return fault
    try:
        field = CronTrigger.FIELDS_MAP[name](name, value)
    except ValueError as error:
        problem = str(error)
        return Fault(problem[:1].lower() + problem[1:], _instead(name, str(value)), name, shown)
    return numbers_of(name, field.expressions)


def numbers_of(name: str, expressions: list[object]) -> Field:
    """The numbers of the expressions that APScheduler parsed."""
    numbers: set[int] = set()
    positions = []
    last_day = everything = numeric = False
    top = min(MAX_VALUES[name], LAST_YEAR)
    for expression in expressions:
        if isinstance(expression, WeekdayPositionExpression):
            positions.append((LAST if expression.option_num == 5 else expression.option_num + 1, expression.weekday))  # noqa: PLR2004
        elif isinstance(expression, LastDayOfMonthExpression):
            last_day = True
        elif isinstance(expression, RangeExpression):
            last = top if expression.last is None else min(expression.last, top)
            numbers.update(range(expression.first, last + 1, expression.step or 1))
            numeric = numeric or type(expression) is RangeExpression
        else:
            step = getattr(expression, "step", None)
            numbers.update(range(MIN_VALUES[name], top + 1, step or 1))
            everything = everything or step in (None, 1)
    return Field(tuple(sorted(numbers)), last_day, tuple(sorted(set(positions))), everything, numeric)


def _misread(name: str, item: str, shown: str) -> Fault | None:
    """The fault of an item that APScheduler would accept but read differently."""
    start = re.match(r"[a-z]+(-[a-z]+)?", item, re.IGNORECASE)
    if name not in WHOLE or not start or re.fullmatch(WHOLE[name], item, re.IGNORECASE | re.ASCII):
        return None
    stepped = re.fullmatch(r"([a-z]+)-([a-z]+)/(\d+)", item.lower())
    names = NAMES.get(name, [])
    if stepped and stepped[1] in names and stepped[2] in names and int(stepped[3]):
        first, last = names.index(stepped[1]), names.index(stepped[2])
        meant = ",".join(names[first : last + 1 : int(stepped[3])])
        problem = f"APScheduler reads {item!r} as {start[0]!r} and silently drops the step"
        return Fault(problem, f"write {name}={meant!r}", name, shown)
    return Fault(f"{item!r} is not understood", f"write {EXAMPLES[name]}", name, shown)


def _instead(name: str, value: str) -> str:
    """What to write instead; a range that wraps is written as its two halves."""
    wrapped = re.fullmatch(r"([a-z]+|\d+)-([a-z]+|\d+)", value.strip().lower())
    names = NAMES.get(name)
    if wrapped and names and wrapped[1] in names and wrapped[2] in names:
        first, last = names.index(wrapped[1]), names.index(wrapped[2])
        return f"a range does not wrap: write {name}={','.join(names[first:] + names[: last + 1])!r}"
    if wrapped and wrapped[1].isdigit() and wrapped[2].isdigit() and name in MIN_VALUES:
        low, high = MIN_VALUES[name], MAX_VALUES[name]
        first, last = int(wrapped[1]), int(wrapped[2])
        if low <= last < first <= high:
            return f"a range does not wrap: write {name}='{first}-{high},{low}-{last}'"
    if name == "day_of_week" and value.strip() == "7":
        return "write day_of_week='sun' (0 is Monday here, 6 is Sunday)"
    if name == "hour" and value.strip() == "24":
        return "write hour=0: midnight is the start of the day"
    return f"write {EXAMPLES[name]}"
