"""How the export of spans goes, for people who look: the row of `trace_export`, and what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from scheduled_tasks.run.database import Connection


class Progress(NamedTuple):
    """The export of all hosts.

    Attributes:
        wanted_at: when a host whose configuration has `[traces]` last looked.
        exported, exported_at: how many spans the receiver has taken, and when it last took some.
        waiting, waiting_since: how many changes of spans are not exported yet, and since when; None if none.
        dropped, dropped_at: how many spans were given up, and when that last happened.
        tries, retry_at: how many tries have failed in a row, and when the next one may be made.
        error: of the last try, if it failed or a part was refused.
    """

    wanted_at: datetime
    exported: int
    exported_at: datetime | None
    waiting: int
    waiting_since: datetime | None
    dropped: int
    dropped_at: datetime | None
    tries: int
    retry_at: datetime | None
    error: str


_PROGRESS = """
SELECT wanted_at, exported, exported_at, waiting.number, waiting.since, dropped, dropped_at, tries, retry_at,
       coalesce(error, '')
  FROM trace_export CROSS JOIN (SELECT count(*) AS number, min(queued_at) AS since FROM span_outbox) AS waiting
"""


def progress(connection: Connection) -> Progress | None:
    """How the export goes; None if no host has ever exported."""
    row = connection.execute(_PROGRESS).fetchone()
    return Progress(*row) if row else None
