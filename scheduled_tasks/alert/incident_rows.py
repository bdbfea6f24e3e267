"""Read incidents, and record that somebody has seen one (ack) or wants to hear nothing of it for a while (snooze)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduled_tasks.alert.incidents import Incident, Kind, Notice, What
from scheduled_tasks.errors import UsageError
from scheduled_tasks.operate.requests.acting import act

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

INCIDENT = ", ".join(f"incident.{field.name}" for field in fields(Incident))
NOTICE = ", ".join(f"notice.{field.name}" for field in fields(Notice))
_INCIDENT_TEXTS = [field.type == "str" for field in fields(Incident)]


def as_incident(row: Sequence[Any]) -> Incident:
    """The incident of the columns `INCIDENT`."""
    values: list[Any] = [value or "" if is_text else value for value, is_text in zip(row, _INCIDENT_TEXTS, strict=True)]
    return Incident(values[0], Kind(values[1]), *values[2:])


def as_notice(row: Sequence[Any]) -> Notice:
    """The notice of the columns `NOTICE`."""
    notice_id, incident, what, created_at, due_at, held, tries = row
    return Notice(notice_id, incident, What(what), created_at, due_at, held or "", tries)


def incidents(
    connection: Connection, *, clock: str = "", job: str = "", open_only: bool = False, limit: int | None = None
) -> list[Incident]:
    """The incidents of all, of a clock or of one job, the newest first."""
    rows = connection.execute(
        f"SELECT {INCIDENT} FROM incident WHERE (%(clock)s = '' OR clock = %(clock)s)"  # noqa: S608 - our own text
        " AND (%(job)s = '' OR job = %(job)s) AND (NOT %(open)s OR closed_at IS NULL)"
        " ORDER BY opened_at DESC, id DESC LIMIT %(limit)s",
        {"clock": clock, "job": job, "open": open_only, "limit": limit},
    )
    return [as_incident(row) for row in rows]


def find(connection: Connection, number: int) -> Incident:
    """One incident.

    Raises:
        UsageError: there is none with this number.
    """
    row = connection.execute(f"SELECT {INCIDENT} FROM incident WHERE id = %s", [number]).fetchone()  # noqa: S608 - our own text
    if row is None:
        raise UsageError(f"there is no incident {number}: see 'clocks incidents'")
    return as_incident(row)


def acknowledge(connection: Connection, number: int, *, by: str, reason: str, at: datetime) -> bool:
    """Record that somebody has seen an incident: it is told again only when it is closed. False if somebody had.

    Raises:
        UsageError: there is none with this number, or it is closed.
    """
    _require_open(find(connection, number))
    return bool(act(connection, "acknowledge_incident", number, at, by, reason))


def snooze(connection: Connection, number: int, until: datetime, *, by: str, reason: str) -> None:
    """Let nothing be told of an incident until an instant, unless it is closed.

    Raises:
        UsageError: there is none with this number, or it is closed.
    """
    _require_open(find(connection, number))
    act(connection, "snooze_incident", number, until, by, reason)


def _require_open(incident: Incident) -> None:
    if not incident.is_open:
        raise UsageError(f"the incident {incident.id}, {incident.name}, is closed already")
