"""Time zones: when a zone's offset changes, and which wall times that affects.

A zone's shifts are computed once for each year. A `Shift` is a gap if the clock goes forward and a fold if it goes
back. Imports only the standard library: the hot path uses it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
OFFSET_HOURS = range(-14, 13)
HOST_ZONES = frozenset({"localtime", "posixrules"})  # files in the tz database that follow the host's setting
NO_ZONES = frozenset({"Factory"})  # "local time zone must be set": UTC with the abbreviation -00


@dataclass(frozen=True)
class Shift:
    """The offset from UTC changes from `before` to `after` at the instant `at` (UTC)."""

    at: datetime
    before: timedelta
    after: timedelta

    @cached_property
    def is_gap(self) -> bool:
        """Whether wall times are skipped; otherwise they occur twice."""
        return self.after > self.before

    @cached_property
    def length(self) -> timedelta:
        """How far the clock is moved, always positive."""
        return abs(self.after - self.before)

    @cached_property
    def first(self) -> datetime:
        """The first wall time (naive) that is skipped or occurs twice."""
        return self.at.replace(tzinfo=None) + min(self.before, self.after)

    @cached_property
    def end(self) -> datetime:
        """The first wall time (naive) after those that are skipped or occur twice."""
        return self.first + self.length

    @cached_property
    def hours(self) -> tuple[tuple[date, int], ...]:
        """The wall-clock hours that are affected, in whole or in part."""
        hour = self.first.replace(minute=0, second=0)
        hours = []
        while hour < self.end:
            hours.append((hour.date(), hour.hour))
            hour += timedelta(hours=1)
        return tuple(hours)

    @cached_property
    def block(self) -> tuple[date, date]:
        """The first and last local date whose runs this shift may move."""
        reach = self.end + (self.length if self.is_gap else timedelta(0))
        return self.first.date(), (reach - SECOND).date()


FIXED = frozenset({"GMT", "GMT+0", "GMT-0", "GMT0", "Greenwich", "UCT", "UTC", "Universal", "Zulu"})


def is_fixed(zone: str) -> bool:
    """Whether the zone is an offset by definition, not a place, whose offset can change."""
    return zone in FIXED or zone.startswith("Etc/")


@lru_cache(maxsize=1024)
def zone_info(zone: str) -> ZoneInfo:
    """The zone with this name. Raises ZoneInfoNotFoundError or ValueError."""
    return ZoneInfo(zone)


def zone_name(value: object) -> str | None:
    """The IANA name of a zone given as text, ZoneInfo, pytz or a fixed offset of whole hours; None if it has none."""
    name = value if isinstance(value, str) else getattr(value, "key", None) or getattr(value, "zone", None)
    if isinstance(name, str):
        return name
    if isinstance(value, tzinfo) and (offset := value.utcoffset(None)) is not None:
        hours, rest = divmod(offset, timedelta(hours=1))
        if not hours and not rest:
            return "UTC"
        if not rest and -hours in OFFSET_HOURS:
            return f"Etc/GMT{-hours:+d}"  # POSIX counts west of Greenwich as positive
    return None


def why_no_zone(value: object) -> str:
    """Why no trigger can be in this zone; "" if one can."""
    name = zone_name(value)
    if name is None:
        return "not a zone with a name"
    if name in HOST_ZONES or name.startswith(("posix/", "right/")):
        return "the host's own zone, or a copy"
    if name in NO_ZONES:
        return "stands for a zone that nobody has set"
    try:
        zone_info(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "unknown time zone"
    return ""


def same_zone(value: object) -> str:
    """What to write in place of a zone that is spelt otherwise in tz data; "" if that has no such name."""
    name = str(zone_name(value) or "").lower()
    same = [zone for zone in available_timezones() if zone.lower() == name and not why_no_zone(zone)] if name else []
    return f"write timezone={min(same)!r}" if same else ""


def offset_at(zone: str, at: datetime) -> timedelta:
    """The zone's offset from UTC at an instant."""
    return offset_of(zone_info(zone), at)


def offset_of(info: ZoneInfo, at: datetime) -> timedelta:
    """The same for a zone that was read already."""
    return at.astimezone(info).utcoffset() or timedelta(0)


@lru_cache(maxsize=4096)
def shifts_of_year(zone: str, year: int) -> tuple[Shift, ...]:
    """The zone's shifts in one year (UTC), in order."""
    return shifts_in(zone_info(zone), year)


def shifts_in(info: ZoneInfo, year: int) -> tuple[Shift, ...]:
    """The shifts in one year (UTC), in order.

    zoneinfo has no list of transitions, so each day is compared with the next and a change is bisected to its second.
    No zone has ever had two shifts within a day.
    """
    at = datetime(year, 1, 1, tzinfo=UTC)
    before = offset_of(info, at)
    result: list[Shift] = []
    while at.year == year:
        after = offset_of(info, at + DAY)
        if after != before:
            second = bisect_left(range(86400), 1, key=lambda n: offset_of(info, at + n * SECOND) != before)
            result.append(Shift(at + second * SECOND, before, after))
            before = after
        at += DAY
    return tuple(result)


@lru_cache(maxsize=1024)
def shifts(zone: str, first_year: int, last_year: int) -> tuple[Shift, ...]:
    """The zone's shifts from the first year to the last, inclusive, in order."""
    return tuple(shift for year in range(first_year, last_year + 1) for shift in shifts_of_year(zone, year))


@lru_cache(maxsize=4096)
def blocks_of_year(zone: str, year: int) -> dict[date, tuple[date, date]]:
    """Each local date whose runs a shift can move, with the first and last date of its block.

    Adjacent blocks are joined: within a block, the runs of different dates can change their order.
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
    """The UTC instant of 00:00 on a local date that no shift affects."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone_info(zone))
    return local.astimezone(UTC)
