"""Time zones, as the schedule room needs them: when the clock is moved, and which wall times that touches.

In comes a zone's name; out come its shifts, computed once a zone and year. `Shift` is a gap where the clock goes
forward and a fold where it goes back. Imports the standard library only: the hot path uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Shift:
    """The offset from UTC changes from `before` to `after` at the instant `at` (UTC)."""

    at: datetime
    before: timedelta
    after: timedelta

    @cached_property
    def is_gap(self) -> bool:
        """Whether wall times are skipped; else they are shown twice."""
        return self.after > self.before

    @cached_property
    def length(self) -> timedelta:
        """By how much the clock is moved, always positive."""
        return abs(self.after - self.before)

    @cached_property
    def first(self) -> datetime:
        """The first wall time (naive) that is skipped, or shown twice."""
        return self.at.replace(tzinfo=None) + min(self.before, self.after)

    @cached_property
    def end(self) -> datetime:
        """The wall time (naive) just behind the last that is skipped, or shown twice."""
        return self.first + self.length

    @cached_property
    def hours(self) -> tuple[tuple[date, int], ...]:
        """The wall-clock hours that are touched, whole or in part."""
        hour = self.first.replace(minute=0, second=0)
        found = []
        while hour < self.end:
            found.append((hour.date(), hour.hour))
            hour += timedelta(hours=1)
        return tuple(found)

    @cached_property
    def block(self) -> tuple[date, date]:
        """The first and last local date whose runs this shift may move."""
        reach = self.end + (self.length if self.is_gap else timedelta(0))
        return self.first.date(), (reach - SECOND).date()


@lru_cache(maxsize=1024)
def zone_info(zone: str) -> ZoneInfo:
    """The zone of that name. Raises ZoneInfoNotFoundError or ValueError."""
    return ZoneInfo(zone)


@lru_cache(maxsize=1024)
def offset_at(zone: str, at: datetime) -> timedelta:
    """The zone's offset from UTC at an instant."""
    offset = at.astimezone(zone_info(zone)).utcoffset()
    return offset or timedelta(0)


@lru_cache(maxsize=4096)
def shifts_of_year(zone: str, year: int) -> tuple[Shift, ...]:
    """The zone's shifts in one year (UTC), in order.

    zoneinfo has no list of transitions: each day is looked at, and a change is bisected to its second. No zone has
    moved its clock twice within a day.
    """
    info = zone_info(zone)
    at, stop = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    found = []
    before = at.astimezone(info).utcoffset() or timedelta(0)
    while at < stop:
        after = (at + DAY).astimezone(info).utcoffset() or timedelta(0)
        if after != before:
            low, high = 0, 86400
            while high - low > 1:
                middle = (low + high) // 2
                moved = (at + timedelta(seconds=middle)).astimezone(info).utcoffset() != before
                low, high = (low, middle) if moved else (middle, high)
            found.append(Shift(at + timedelta(seconds=high), before, after))
            before = after
        at += DAY
    return tuple(found)


@lru_cache(maxsize=1024)
def shifts(zone: str, first_year: int, last_year: int) -> tuple[Shift, ...]:
    """The zone's shifts from one year through another, in order."""
    return tuple(each for year in range(first_year, last_year + 1) for each in shifts_of_year(zone, year))


@lru_cache(maxsize=4096)
def blocks_of_year(zone: str, year: int) -> dict[date, tuple[date, date]]:
    """Each local date whose runs a shift may move, with the first and last date of its block.

    Blocks that touch are one: within a block, runs of different dates may change places.
    """
    blocks: list[tuple[date, date]] = []
    for shift in shifts(zone, year - 1, year + 1):
        first, last = shift.block
        if blocks and first <= blocks[-1][1] + DAY:
            blocks[-1] = blocks[-1][0], max(last, blocks[-1][1])
        else:
            blocks.append((first, last))
    return {first + timedelta(days=n): (first, last) for first, last in blocks for n in range((last - first).days + 1)}


@lru_cache(maxsize=16384)
def midnight(zone: str, day: date) -> datetime:
    """The UTC instant of a local date's 00:00, for a date that no shift touches."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone_info(zone))
    return local.astimezone(UTC)
