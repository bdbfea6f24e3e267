"""The values of this package: triggers, parsed and normalised.

The parser makes them from checked numbers. They are frozen and hashable, and can be written as JSON and read back,
which the hot path does. Imports only the standard library and `instants`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from scheduled_tasks.instants import iso8601, parse

LAST_YEAR = 2199  # systemd evaluates no calendar expression after it (252 and 257)
FIRST_YEAR = 1970
ALL = {
    "month": tuple(range(1, 13)),
    "day": tuple(range(1, 32)),
    "weekday": tuple(range(7)),
    "hour": tuple(range(24)),
    "minute": tuple(range(60)),
    "second": tuple(range(60)),
}
WEEK = 7
FEBRUARY = 2
LAST = -1  # `last` in `last fri`; the other positions are 1 to 5

# Intervals without start_date are counted from here: midnight of a Monday, so that weeks start on Monday.
ANCHOR = datetime(1970, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """What every trigger has. `start` and `end` are instants in UTC, both inclusive.

    `jitter` is in seconds. `warnings` name what is allowed but rarely intended.
    """

    zone: str
    start: datetime | None = None
    end: datetime | None = None
    jitter: int | None = None
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def to_json(self) -> dict[str, Any]:
        """The trigger as a small dict of JSON types, without defaults; `from_json` reads it."""
        values = {}
        for attribute in fields(self):
            value = getattr(self, attribute.name)
            if value != attribute.default and attribute.name != "warnings":
                values[attribute.name] = iso8601(value) if isinstance(value, datetime) else value
        return {"kind": type(self).__name__.lower(), **values}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Trigger:
        """The trigger that `to_json` returned, whether or not it has been through JSON text."""
        kind: type[Trigger] = {"cron": Cron, "interval": Interval, "date": Date}[values["kind"]]
        return kind(**{name: _frozen(name, value) for name, value in values.items() if name != "kind"})

    def within(self, at: datetime) -> bool:
        """Whether the instant `at` lies between start and end."""
        return not ((self.start and at < self.start) or (self.end and at > self.end))


def _frozen(name: str, value: Any) -> Any:
    if name in {"start", "end", "run_at"}:
        return parse(value)
    if isinstance(value, list | tuple):
        return tuple(_frozen("", item) for item in value)
    return value


@dataclass(frozen=True, kw_only=True)
class Cron(Trigger):
    """A cron trigger: it fires when all of its fields match.

    `years` and `weeks` are None for any. A day of the month matches if it is in `days`, or is the last one and
    `last_day` is set, or is at one of `positions`: (1..5 or LAST, weekday), where Monday is 0.
    """

    years: tuple[int, ...] | None = None
    months: tuple[int, ...] = ALL["month"]
    days: tuple[int, ...] = ALL["day"]
    last_day: bool = False
    positions: tuple[tuple[int, int], ...] = ()
    weeks: tuple[int, ...] | None = None
    weekdays: tuple[int, ...] = ALL["weekday"]
    hours: tuple[int, ...] = ALL["hour"]
    minutes: tuple[int, ...] = ALL["minute"]
    seconds: tuple[int, ...] = (0,)

    @cached_property
    def every_day(self) -> bool:
        """Whether no field restricts the date."""
        return (
            self.years is None
            and self.weeks is None
            and self.months == ALL["month"]
            and self.days == ALL["day"]
            and self.weekdays == ALL["weekday"]
        )

    @cached_property
    def repeating_hours(self) -> frozenset[int]:
        """The hours that belong to a repetition: the hour field has both neighbours too.

        Decision 0004. With `*` that is all 24 hours, with `0-4` it is 1, 2 and 3, with a list or `*/6` none.
        """
        hours = frozenset(self.hours)
        return frozenset(hour for hour in hours if {(hour - 1) % 24, (hour + 1) % 24} <= hours)

    def wants(self, day: date) -> bool:
        """Whether the fields from year to day_of_week all match `day`."""
        if self.every_day:
            return True
        if day.month not in self.months or (self.years is not None and day.year not in self.years):
            return False
        weekday = day.weekday()
        if weekday not in self.weekdays:
            return False
        if self.weeks is not None and day.isocalendar().week not in self.weeks:
            return False
        return day.day in self.days or self._by_position(day, weekday)

    def _by_position(self, day: date, weekday: int) -> bool:
        if not (self.last_day or self.positions):
            return False
        left = month_length(day.year, day.month) - day.day
        if self.last_day and left == 0:
            return True
        return any(
            weekday == position_weekday and (left < WEEK if nth == LAST else (day.day - 1) // WEEK + 1 == nth)
            for nth, position_weekday in self.positions
        )


@dataclass(frozen=True, kw_only=True)
class Interval(Trigger):
    """Every `every` seconds of real time, counted from `start`, or from ANCHOR without one."""

    every: int

    @property
    def anchor(self) -> datetime:
        """The instant from which intervals are counted; every occurrence is a whole number of them away."""
        return self.start or ANCHOR


@dataclass(frozen=True, kw_only=True)
class Date(Trigger):
    """Once, at the instant `run_at` (UTC)."""

    run_at: datetime


def month_length(year: int, month: int) -> int:
    """The number of days of that month."""
    if month == FEBRUARY:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31
