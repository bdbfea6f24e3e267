"""Parse and format instants; no other module does. Every run imports this, so it imports only datetime."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

# The ledger has instants from the first to before the second; its tables refuse others.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def rfc3339(at: datetime, timespec: str = "seconds") -> str:
    """An instant in UTC, 2026-11-24T06:00:00Z, cut to `timespec` (see `datetime.isoformat`; auto: only what it has)."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def iso8601(at: datetime) -> str:
    """An instant with its own offset and all its digits, 2027-03-28T03:30:00+02:00; `parse` reads it."""
    return at.isoformat()


def shown(at: datetime | None) -> str:
    """An instant as tables show it, 2026-11-24 06:00:00Z; "-" for None."""
    return rfc3339(at).replace("T", " ") if at else "-"


def in_sentence(at: datetime, zone: tzinfo = UTC, name: str = "UTC") -> str:
    """An instant as sentences name it, 2026-11-24 07:00:00 Europe/Paris."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S} {name}"


def local(at: datetime, zone: tzinfo) -> datetime:
    """An instant in a zone; the first or the last instant that Python has stays as it is."""
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at


def offset_if_repeated(at: datetime) -> str:
    """The offset from UTC of an instant in a zone, if that has this wall time twice; otherwise ""."""
    return at.isoformat()[-6:] if at.utcoffset() != at.replace(fold=1 - at.fold).utcoffset() else ""


def parse(text: str, *, zone: tzinfo | None = None) -> datetime:
    """Read an instant in ISO 8601, in `zone` if it has no offset; the result is in UTC.

    Raises:
        ValueError: it is not an instant, or has no offset from UTC and no zone is given.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None and zone is None:
        raise ValueError("it has no offset from UTC")
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def parse_systemd(text: str) -> datetime | None:
    """Read an instant as systemd prints it in UTC: Thu 2026-11-26 01:28:32.5 UTC, @1764121712.5, or nothing for never.

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
    """The instant a number of seconds after 1970-01-01T00:00:00Z."""
    return datetime.fromtimestamp(seconds, UTC)
