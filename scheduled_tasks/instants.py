"""Read and write instants: the one place that knows how they are spelled. Runs import it: it imports datetime only."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: datetime, timespec: str = "seconds") -> str:
    """An instant in UTC, 2026-11-24T06:00:00Z, cut to `timespec` (see `datetime.isoformat`; auto: only what it has)."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def shown(at: datetime | None) -> str:
    """An instant as tables show it, 2026-11-24 06:00:00Z; "-" for None."""
    return rfc3339(at).replace("T", " ") if at else "-"


def parse(text: str, *, naive_is_utc: bool = False) -> datetime:
    """Read an instant in ISO 8601; the result is in UTC.

    Raises:
        ValueError: it is not an instant, or has no offset from UTC and `naive_is_utc` is not set.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    if not naive_is_utc:
        raise ValueError("it has no offset from UTC")
    return at.replace(tzinfo=UTC)


def parse_systemd(text: str) -> datetime | None:
    """Read an instant as systemd prints it in UTC (Thu 2026-11-26 01:28:32.5 UTC, or @1764121712.5); None for none.

    Raises:
        ValueError: it is something else.
    """
    if text.startswith("@"):
        return from_epoch(float(text[1:])) if float(text[1:]) else None
    _weekday, _, rest = text.partition(" ")
    if not rest:
        return None
    at, _, zone = rest.rpartition(" ")
    if zone != "UTC":
        raise ValueError(f"{text!r} is not in UTC")
    return datetime.fromisoformat(at).replace(tzinfo=UTC)


def from_epoch(seconds: float) -> datetime:
    """The instant that is so many seconds after the epoch."""
    return datetime.fromtimestamp(seconds, UTC)
