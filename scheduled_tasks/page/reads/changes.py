"""What people and deployments changed, in one stream: flags, pauses, requests, incidents that were seen, and jobs.

All of the project, or what concerns one job: its flag, the pauses that cover it, and its own requests, incidents and
deployments.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection


class Change(NamedTuple):
    """A change: when, what kind, of what, who did it, and why. `clock` and `job` are "" if it is of no single job.

    Attributes:
        request: the number of the request that it is; None for other changes.
    """

    at: datetime
    kind: str
    what: str
    clock: str
    job: str
    who: str
    why: str
    request: int | None


# Each part reads its newest rows by an index, or all of a table that has as many rows as people have acted. With a job,
# each reads that job's rows only, so that the changes of others leave none of them out.
_OF_JOB = "(%(job)s::text = '' OR (clock = %(clock)s AND job = %(job)s))"
_COVERING = "(%(job)s::text = '' OR (coalesce(clock, %(clock)s) = %(clock)s AND coalesce(job, %(job)s) = %(job)s))"
_PEOPLE = f"""
    (SELECT changed_at AS at, 'flag' AS kind, 'flag ' || name || CASE WHEN was_active IS NULL THEN ' added, '
            ELSE ' switched ' END || CASE WHEN is_active THEN 'on' ELSE 'off' END AS what,
            '' AS clock, '' AS job, changed_by AS who, coalesce(reason, '') AS why, NULL::bigint AS request
       FROM feature_change WHERE changed_at < %(before)s AND (%(job)s::text = '' OR name = %(flag)s)
      ORDER BY changed_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT paused_at, 'pause', 'paused' || coalesce(' on ' || host, ' on all hosts'), coalesce(clock, ''),
            coalesce(job, ''), paused_by, reason, NULL
       FROM pause WHERE paused_at < %(before)s AND {_COVERING} ORDER BY paused_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT resumed_at, 'resume', 'resumed' || coalesce(' on ' || host, ' on all hosts'), coalesce(clock, ''),
            coalesce(job, ''), coalesce(resumed_by, ''), coalesce(resume_reason, ''), NULL
       FROM pause WHERE resumed_at < %(before)s AND {_COVERING} ORDER BY resumed_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT asked_at, 'request', CASE kind WHEN 'run' THEN 'asked for a run' WHEN 'stop' THEN 'asked to stop a run'
            WHEN 'log' THEN 'asked for log lines' ELSE 'asked for a backfill' END || ': '
            || coalesce(outcome, 'waiting'), clock, job, asked_by, reason, id
       FROM request WHERE asked_at < %(before)s AND {_OF_JOB} ORDER BY asked_at DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT acked_at, 'seen', 'acknowledged an incident', coalesce(clock, ''), coalesce(job, ''), acked_by,
            coalesce(ack_reason, ''), NULL
       FROM incident WHERE acked_at < %(before)s AND {_OF_JOB} ORDER BY acked_at DESC LIMIT %(limit)s)
"""  # noqa: S608 - our own text
# Hosts that one deployment reaches within an hour are one change, as in the job's schedule as it was.
_ALL = f"""
SELECT * FROM (
    {_PEOPLE}
    UNION ALL
    (SELECT min(at), 'deploy', counted || CASE WHEN counted = 1 THEN ' job' ELSE ' jobs' END || ' deployed on '
            || string_agg(DISTINCT deployed.host, ', ' ORDER BY deployed.host), '', '', coalesce(deployed_by, ''),
            coalesce(release, ''), NULL
       FROM (SELECT valid_from AS at, host, deployed_by, count(*) AS counted FROM (
                SELECT valid_from, host, deployed_by FROM deployed_job WHERE valid_from < %(before)s
                 ORDER BY id DESC LIMIT 20000
             ) AS rows GROUP BY valid_from, host, deployed_by) AS deployed
       LEFT JOIN LATERAL (SELECT 'release ' || host.release AS release FROM host WHERE host.name = deployed.host
                             AND deployed.at > now() - interval '1 day') AS known ON true
      GROUP BY counted, release, deployed_by, date_trunc('hour', at) ORDER BY 1 DESC LIMIT %(limit)s)
) AS change
 ORDER BY at DESC LIMIT %(limit)s
"""  # noqa: S608 - our own text
_OF_ONE_JOB = f"""
SELECT * FROM (
    {_PEOPLE}
    UNION ALL
    (SELECT min(at), 'deploy', what || string_agg(DISTINCT host, ', ' ORDER BY host), %(clock)s, %(job)s,
            coalesce(who, ''), '', NULL
       FROM (SELECT valid_from AS at, CASE WHEN EXISTS (SELECT FROM known AS last WHERE last.host = known.host
                        AND last.valid_until = known.valid_from) THEN 'changed by a deployment on '
                        ELSE 'deployed on ' END AS what, host, deployed_by AS who FROM known
              UNION ALL
             SELECT valid_until, 'removed from ', host, removed_by FROM known
              WHERE valid_until IS NOT NULL AND NOT EXISTS (
                SELECT FROM known AS next WHERE next.host = known.host AND next.valid_from >= known.valid_until)
            ) AS deployed WHERE at < %(before)s GROUP BY what, who, date_trunc('hour', at))
) AS change
 ORDER BY at DESC LIMIT %(limit)s
"""  # noqa: S608 - our own text
_KNOWN = "WITH known AS MATERIALIZED (SELECT * FROM deployed_job WHERE clock = %(clock)s AND job = %(job)s)"


def changes(connection: Connection, before: datetime, limit: int) -> list[Change]:
    """The last changes before an instant, newest first."""
    values = {"before": before, "limit": limit, "clock": "", "job": "", "flag": ""}
    return [Change(*row) for row in connection.execute(_ALL, values)]


def changes_of_job(
    connection: Connection, before: datetime, limit: int, job: tuple[str, str], flag: str
) -> list[Change]:
    """The last changes before an instant that concern a job (clock, job); `flag` is the one that its task needs."""
    values = {"before": before, "limit": limit, "clock": job[0], "job": job[1], "flag": flag}
    return [Change(*row) for row in connection.execute(_KNOWN + _OF_ONE_JOB, values)]
