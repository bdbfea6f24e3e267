"""Who was told of an incident: the last notice of each that was sent, and the first one that wasn't."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.masking import mask

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection


class Notice(NamedTuple):
    """A notice of an incident.

    Attributes:
        route: by which it was tried last; "" if it wasn't.
        why: why it was not sent: its error, or what holds or dropped it.
    """

    route: str
    due_at: datetime
    sent_at: datetime | None
    why: str


class Told(NamedTuple):
    """Who was told: the last notice that was sent, how many were, and the first one that was not."""

    sent: Notice | None
    number: int
    unsent: Notice | None


def told(connection: Connection, incidents: Iterable[int]) -> Mapping[int, Told]:
    """Who was told of each of some incidents; one without a notice is not in it."""
    rows = connection.execute(
        "SELECT incident, coalesce(route, ''), due_at, sent_at, coalesce(dropped, error, held, '') FROM notice"
        " WHERE incident = ANY (%s) ORDER BY created_at",
        [list(incidents)],
    )
    notices: dict[int, list[Notice]] = defaultdict(list)
    for incident, route, due_at, sent_at, why in rows:
        notices[incident].append(Notice(route, due_at, sent_at, mask(why).partition("\n")[0]))
    return {incident: _told(of_incident) for incident, of_incident in notices.items()}


def _told(notices: list[Notice]) -> Told:
    sent = [notice for notice in notices if notice.sent_at]
    unsent = [notice for notice in notices if not notice.sent_at]
    return Told(sent[-1] if sent else None, len(sent), unsent[0] if unsent else None)
