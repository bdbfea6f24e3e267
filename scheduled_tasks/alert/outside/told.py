"""What each monitor outside was told last, for people who look."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from scheduled_tasks.run.database import Connection


class Told(NamedTuple):
    """A monitor: a job with ping=, or such a job on one host.

    Attributes:
        monitor: CLOCK/JOB, with the host if it has a monitor for each.
        what: the last ping that was answered: `start`, `success`, `fail` or `log`; "" if there is none.
        sent_at: when.
        waiting: how many pings are waiting.
        error: why the last one that was tried was not answered.
    """

    monitor: str
    what: str
    sent_at: datetime | None
    waiting: int
    error: str


_TOLD = """
WITH monitor AS (
    SELECT DISTINCT clock, job, CASE WHEN (options ->> 'per_host')::boolean THEN host ELSE '' END AS name
      FROM deployed_job WHERE valid_until IS NULL AND options ->> 'ping' <> ''
)
SELECT clock || '/' || job || CASE name WHEN '' THEN '' ELSE ' on ' || name END, coalesce(last.what, ''), last.sent_at,
       (SELECT count(*) FROM ping WHERE ping.clock = monitor.clock AND ping.job = monitor.job
           AND ping.monitor = name AND sent_at IS NULL AND dropped IS NULL),
       coalesce((SELECT error FROM ping WHERE ping.clock = monitor.clock AND ping.job = monitor.job
                    AND ping.monitor = name AND error IS NOT NULL AND id > coalesce(last.id, 0)
                  ORDER BY id DESC LIMIT 1), '')
  FROM monitor LEFT JOIN LATERAL (
       SELECT id, what, sent_at FROM ping WHERE ping.clock = monitor.clock AND ping.job = monitor.job
          AND ping.monitor = name AND sent_at IS NOT NULL ORDER BY id DESC LIMIT 1) AS last ON true
 ORDER BY 1
"""


def told(connection: Connection) -> list[Told]:
    """All monitors of the jobs that are deployed now."""
    return [Told(*row) for row in connection.execute(_TOLD)]
