"""Read cron fields in APScheduler's language, with APScheduler's own parser.

A field's name and value go in; its numbers come out, or a fault that says what to write. APScheduler 3.11 parses and
validates; whatever it would not read to its last character (`mon-fri/2`, `lastly`, `2nd fri-sun`), or only as digits of
another alphabet, is reported as a fault first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.cron.expressions import (
    LastDayOfMonthExpression,
    RangeExpression,
    WeekdayPositionExpression,
)
from apscheduler.triggers.cron.fields import MAX_VALUES, MIN_VALUES

from scheduled_tasks.faults import Fault
from scheduled_tasks.schedule.suggestions import EXAMPLES, NAMES, POSITIONS, what_to_write
from scheduled_tasks.schedule.trigger import LAST, LAST_YEAR

# Items that APScheduler reads to the last character: its own patterns for names are not anchored at the end.
NUMBERS = r"\*(/\d+)?|\d+(-\d+)?(/\d+)?"
WHOLE = {
    "month": rf"{NUMBERS}|[a-z]+(-[a-z]+)?",
    "day_of_week": rf"{NUMBERS}|[a-z]+(-[a-z]+)?",
    "day": rf"{NUMBERS}|last|({'|'.join(POSITIONS)}) +[a-z]+",
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
        return Fault(problem[:1].lower() + problem[1:], what_to_write(name, str(value)), name, shown)
    read = numbers_of(name, field.expressions)
    if name == "year" and not read.numbers:
        return Fault(f"is after {LAST_YEAR}, the last year of a systemd timer", what_to_write(name, ""), name, shown)
    return read


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
    """The fault of an item that APScheduler would not read, or would accept but read differently."""
    if re.fullmatch(WHOLE.get(name, NUMBERS), item, re.IGNORECASE | re.ASCII):
        return None
    stepped = re.fullmatch(r"([a-z]+)-([a-z]+)/(\d+)", item.lower(), re.ASCII)
    names = NAMES.get(name, [])
    if stepped and stepped[1] in names and stepped[2] in names and int(stepped[3]):
        first, last = names.index(stepped[1]), names.index(stepped[2])
        meant = ",".join(names[first : last + 1 : int(stepped[3])])
        read = item.partition("/")[0]
        problem = f"APScheduler reads {item!r} as {read!r} and silently drops the step"
        return Fault(problem, f"write {name}={meant!r}", name, shown)
    return Fault(f"{item!r} is not understood", what_to_write(name, item), name, shown)
