"""Instants as a reader of the page sees them: all in the zone that the reader has chosen, relative beside absolute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from markupsafe import Markup

from scheduled_tasks import instants
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.quantities import relative

if TYPE_CHECKING:
    from datetime import tzinfo

NEVER = Markup("-")


@dataclass(frozen=True)
class ReaderTimes:
    """Writes instants in a zone, relative to `now`, as HTML elements that name the instant in UTC for programs."""

    now: datetime
    zone_name: str = "UTC"

    @property
    def zone(self) -> tzinfo:
        """The reader's zone."""
        return UTC if self.zone_name == "UTC" else ZoneInfo(self.zone_name)

    def brief(self, at: datetime | None) -> Markup:
        """As short as it can be: 06:00 today, Tue 06:00 within six days, 24 Nov 06:00, 28 Mar 2027 03:30."""
        return self._element(at, self._brief(at)) if at else NEVER

    def full(self, at: datetime | None) -> Markup:
        """With date and seconds: Tue 24 Nov 2026 06:00:13."""
        return self._element(at, f"{self._local(at):%a %-d %b %Y %H:%M:%S}{self._offset(at)}") if at else NEVER

    def ago(self, at: datetime | None) -> Markup:
        """How far away it is: in 22 h, 6 min ago."""
        return self._element(at, self.distance(at)) if at else NEVER

    def both(self, at: datetime | None) -> Markup:
        """The absolute and the relative: 06:00, in 22 h."""
        return self._element(at, f"{self._brief(at)}, {self.distance(at)}") if at else NEVER

    def in_zone(self, at: datetime, zone: str, beside: str = "") -> Markup:
        """The instant in another zone: Tue 24 Nov 06:00; only what differs from its date in the zone `beside`."""
        local = at.astimezone(ZoneInfo(zone))
        seconds = f":{local:%S}" if local.second else ""
        same_day = beside and at.astimezone(ZoneInfo(beside)).date() == local.date()
        return self._element(at, f"{local:%H:%M}{seconds}" if same_day else f"{local:%a %-d %b %H:%M}{seconds}")

    def distance(self, at: datetime) -> str:
        """How far away it is, as text."""
        return relative((at - self.now).total_seconds())

    def text(self, at: datetime | None) -> str:
        """The short form as text, for titles."""
        return self._brief(at) if at else NEVER

    def _brief(self, at: datetime) -> str:
        local, today = self._local(at), self._local(self.now)
        days = (local.date() - today.date()).days
        if days == 0:
            day = ""
        elif abs(days) < 7:  # noqa: PLR2004 - a weekday is unambiguous within a week
            day = f"{local:%a} "
        else:
            day = f"{local:%-d %b} " if local.year == today.year else f"{local:%-d %b %Y} "
        return f"{day}{local:%H:%M}{self._offset(at)}"

    def _local(self, at: datetime) -> datetime:
        return instants.local(at, self.zone)

    def _offset(self, at: datetime) -> str:
        return instants.offset_if_repeated(self._local(at))

    def _element(self, at: datetime, text: str) -> Markup:
        instant = rfc3339(at)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(instant, self._title(at, instant), text)

    def _title(self, at: datetime, instant: str) -> str:
        utc = instant.replace("T", " ").replace("Z", " UTC")
        if self.zone_name == "UTC":
            return f"{self._local(at):%a} {utc}"
        return f"{self._local(at):%a %Y-%m-%d %H:%M:%S} {self.zone_name}, {utc}"
