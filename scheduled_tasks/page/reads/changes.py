"""What people and deployments changed, in one stream: flags, pauses, requests, incidents that were seen, and jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection


class Change(NamedTuple):
    """A change: when, what kind, of what, who did it, and why. `clock` and `job` are "" if it is of no single job."""

    at: datetime
    kind: str
    what: str
    clock: str
    job: str
    who: str
    why: str


# Each part reads its newest rows by an index, or all of a table that has as many rows as people have acted.
_CHANGES = """
SELECT * FROM (
    (SELECT changed_at AS at, 'flag' AS kind, 'flag ' || name || CASE WHEN was_active IS NULL THEN ' added, '
            ELSE ' switched ' END || CASE WHEN is_active THEN 'on' ELSE 'off' END AS what,
            '' AS clock, '' AS job, changed_by AS who, coalesce(reason, '') AS why
       FROM feature_change WHERE changed_at < %(before)s ORDER BY changed_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT paused_at, 'pause', 'paused' || coalesce(' on ' || host, ' on all hosts'), coalesce(clock, ''),
            coalesce(job, ''), paused_by, reason
       FROM pause WHERE paused_at < %(before)s ORDER BY paused_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT resumed_at, 'resume', 'resumed' || coalesce(' on ' || host, ' on all hosts'), coalesce(clock, ''),
            coalesce(job, ''), coalesce(resumed_by, ''), ''
       FROM pause WHERE resumed_at < %(before)s ORDER BY resumed_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT asked_at, 'request', CASE kind WHEN 'run' THEN 'asked for a run' WHEN 'stop' THEN 'asked to stop a run'
            WHEN 'log' THEN 'asked for log lines' ELSE 'asked for a backfill' END || ': '
            || coalesce(outcome, 'waiting'), clock, job, asked_by, reason
       FROM request WHERE asked_at < %(before)s ORDER BY asked_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT acked_at, 'seen', 'acknowledged an incident', coalesce(clock, ''), coalesce(job, ''), acked_by,
            coalesce(ack_reason, '')
       FROM incident WHERE acked_at < %(before)s ORDER BY acked_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT at, 'deploy', counted || CASE WHEN counted = 1 THEN ' job' ELSE ' jobs' END || ' deployed on ' || host,
            '', '', '', coalesce(release, '')
       FROM (SELECT valid_from AS at, host, count(*) AS counted FROM (
                SELECT valid_from, host FROM deployed_job WHERE valid_from < %(before)s ORDER BY id DESC LIMIT 20000
             ) AS rows GROUP BY valid_from, host ORDER BY valid_from DESC LIMIT %(limit)s) AS deployed
       LEFT JOIN LATERAL (SELECT 'release ' || host.release AS release FROM host WHERE host.name = deployed.host
                             AND deployed.at > now() - interval '1 day') AS known ON true)
) AS change
 WHERE (%(clock)s = '' OR clock = %(clock)s) AND (%(job)s = '' OR job IN (%(job)s, ''))
 ORDER BY at DESC LIMIT %(limit)s
"""


def changes(connection: Connection, before: datetime, limit: int, clock: str = "", job: str = "") -> list[Change]:
    """The last changes before an instant, newest first: all, or those of a job."""
    values = {"before": before, "limit": limit, "clock": clock, "job": job}
    return [Change(*row) for row in connection.execute(_CHANGES, values)]
