"""What the time zone data says of a zone for some years, as a set records it, and what has changed since.

A set's lines are computed from the zone data of this Python; systemd reads /usr/share/zoneinfo. An updated tzdata can
say otherwise than the set was rendered for, and a Python with data of its own can differ from systemd. Rules go into
the set's jobs manifest; the first instant at which two rules differ comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from scheduled_tasks.instants import iso8601, parse
from scheduled_tasks.schedule.zone import offset_of, shifts_in, zone_info

SYSTEMD_ZONES = Path("/usr/share/zoneinfo")


@dataclass(frozen=True)
class ZoneRules:
    """A zone's offsets from the first year to the last, in UTC, both inclusive.

    Attributes:
        first: the first year.
        last: the last year.
        offsets: when each offset begins, and the offset in seconds; the first one begins with the first year.
    """

    first: int
    last: int
    offsets: tuple[tuple[datetime, int], ...]

    def to_json(self) -> dict[str, Any]:
        """The rules as JSON types; `from_json` reads them."""
        return {
            "first": self.first,
            "last": self.last,
            "offsets": [[iso8601(at), seconds] for at, seconds in self.offsets],
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> ZoneRules:
        """The rules that `to_json` returned."""
        offsets = tuple((parse(at), int(seconds)) for at, seconds in values["offsets"])
        return ZoneRules(int(values["first"]), int(values["last"]), offsets)

    def offset_at(self, at: datetime) -> int:
        """The offset in seconds at an instant of these years."""
        return next(seconds for since, seconds in reversed(self.offsets) if since <= at)


def rules_of(info: ZoneInfo, first: int, last: int) -> ZoneRules:
    """A zone's rules in these years."""
    start = datetime(first, 1, 1, tzinfo=UTC)
    begun = [(start, offset_of(info, start))]
    begun += [(shift.at, shift.after) for year in range(first, last + 1) for shift in shifts_in(info, year)]
    return ZoneRules(first, last, tuple((at, int(offset.total_seconds())) for at, offset in begun))


def rules_here(zone: str, first: int, last: int) -> ZoneRules:
    """A zone's rules as this Python knows them, from which lines are computed."""
    return rules_of(zone_info(zone), first, last)


def systemd_rules(zone: str, first: int, last: int, folder: Path) -> ZoneRules | None:
    """A zone's rules as systemd knows them; None if it does not know the zone."""
    try:
        with (folder / zone).open("rb") as file:
            return rules_of(ZoneInfo.from_file(file, key=zone), first, last)
    except (OSError, ValueError):
        return None


def first_difference(some: ZoneRules, others: ZoneRules, since: datetime) -> datetime | None:
    """The first instant, not before `since`, at which two rules for the same years differ; None if they are equal."""
    edges = sorted({since, *(at for at, _ in some.offsets + others.offsets if at > since)})
    return next((at for at in edges if some.offset_at(at) != others.offset_at(at)), None)
