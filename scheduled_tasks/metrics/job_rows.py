"""Read from the ledger what metrics need of its jobs: few rows of an index for each, whatever the ledger holds.

Input are the current deployments and an instant; output are values by job.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from scheduled_tasks.alert.faults import EXPECTED_FACTOR, LAST_RUNS, MIN_EXPECTED, MIN_RUNS
from scheduled_tasks.metrics import deadlines
from scheduled_tasks.operate.status import IS_BAD, RESULT_AT, ROW_BY_ROW

if TYPE_CHECKING:
    from scheduled_tasks.metrics.deadlines import Key
    from scheduled_tasks.operate.slots import DeployedJob
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.schedule.trigger import Trigger

Job = tuple[str, str]  # clock, job
PAGE = 100  # rows of slots after which a job's deadline is looked for; more only while the account is far behind
MAX_STREAK = 1000  # bad slots: no more are counted, as in judge_job (migrations/0002)

_WANTED = (
    "unnest(%(clocks)s::text[], %(jobs)s::text[], %(hosts)s::text[]) WITH ORDINALITY AS wanted (clock, job, host, n)"
)
_OF_WANTED = "clock = wanted.clock AND job = wanted.job"
# RESULT_AT is what the index task_run_good is sorted by.
_LAST_SUCCESS = f"""
SELECT wanted.n, last.at FROM {_WANTED} CROSS JOIN LATERAL (
    SELECT {RESULT_AT} AS at FROM task_run
     WHERE {_OF_WANTED} AND status = 'ended' AND (wanted.host = '' OR coalesce(slot_host, host) = wanted.host)
       AND {RESULT_AT} <= %(now)s
     ORDER BY {RESULT_AT} DESC LIMIT 1) AS last
"""  # noqa: S608 - our own text
_RECORDED = f"""
SELECT wanted.n, array_agg(slot.scheduled_at) FROM {_WANTED}
  JOIN unnest(%(after)s::timestamptz[]) WITH ORDINALITY AS since (at, n) USING (n) CROSS JOIN LATERAL (
    SELECT scheduled_at FROM task_run
     WHERE {_OF_WANTED} AND slot_host = wanted.host AND slot_host IS NOT NULL AND scheduled_at > since.at
     ORDER BY scheduled_at LIMIT {PAGE}) AS slot
 GROUP BY wanted.n
"""  # noqa: S608 - our own text
# Runs that a person started are left out, as alerts do: who starts a run watches it.
_RUNNING = f"""
SELECT run.clock, run.job, min(run.started_at), (
           SELECT CASE WHEN count(*) >= {MIN_RUNS} THEN greatest(
                       {EXPECTED_FACTOR} * percentile_cont(0.5) WITHIN GROUP (ORDER BY duration), {MIN_EXPECTED}) END
             FROM (SELECT duration FROM task_run AS past
                    WHERE past.clock = run.clock AND past.job = run.job AND status = 'ended' AND duration IS NOT NULL
                    ORDER BY {RESULT_AT} DESC LIMIT {LAST_RUNS}) AS past)
  FROM task_run AS run
 WHERE status = 'started' AND slot_host IS NOT NULL AND trigger IN ('timer', 'watch') AND job IS NOT NULL
 GROUP BY run.clock, run.job
"""  # noqa: S608 - our own text
# The rule of judge_job (migrations/0002): of each bad job, the results since its last good one that count. A failed
# attempt that systemd will try again counts later; at `counts_from`.
_BAD = f"""
WITH bad_job AS MATERIALIZED (
    SELECT DISTINCT clock, job FROM task_run WHERE {IS_BAD} AND NOT is_resolved
    UNION
    SELECT run.clock, run.job FROM task_run AS run JOIN past_attempt AS past USING (clock, job, scheduled_at, slot_host)
     WHERE run.status = 'started' AND past.{IS_BAD}
), wanted AS MATERIALIZED (
    SELECT DISTINCT clock, job, coalesce((options->>'retries')::integer, 0) AS retries,
           coalesce((options->>'retry_delay')::float, 0) AS retry_delay,
           CASE WHEN options->>'per_host' = 'true' THEN deployed_job.host ELSE '' END AS host
      FROM bad_job JOIN deployed_job USING (clock, job) WHERE valid_until IS NULL
)
SELECT clock, job, max(bad), max(missed), min(counts_from) FROM wanted LEFT JOIN LATERAL (
    SELECT {RESULT_AT} AS at FROM task_run
     WHERE {_OF_WANTED} AND status = 'ended' AND {RESULT_AT} <= %(now)s
       AND (wanted.host = '' OR coalesce(nullif(slot_host, ''), host) = wanted.host)
     ORDER BY {RESULT_AT} DESC LIMIT 1) AS good ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS results, count(*) FILTER (WHERE is_automatic AND counts_from <= %(now)s) AS bad,
           count(*) FILTER (WHERE is_automatic AND status = 'missed') AS missed,
           min(counts_from) FILTER (WHERE is_automatic AND counts_from > %(now)s) AS counts_from
      FROM (
        SELECT status, slot_host IS NOT NULL AND (trigger IN ('timer', 'watch') OR attempt > 1) AS is_automatic,
               CASE WHEN status = 'failed' AND attempt <= retries
                    THEN ended_at + (60 + retry_delay) * interval '1 s' ELSE '-infinity' END AS counts_from
          FROM (
            (SELECT status, slot_host, trigger, attempt, ended_at FROM task_run
              WHERE {_OF_WANTED} AND {IS_BAD} AND (scheduled_at <= %(now)s OR scheduled_at IS NULL)
                AND (wanted.host = '' OR coalesce(nullif(slot_host, ''), task_run.host) = wanted.host)
                AND {RESULT_AT} <= %(now)s AND {RESULT_AT} > coalesce(good.at, '-infinity')
              ORDER BY {RESULT_AT} DESC LIMIT {MAX_STREAK})
            UNION ALL  -- a bad slot that runs again stays bad
            (SELECT DISTINCT ON (past.scheduled_at, past.slot_host)
                    past.status, past.slot_host, past.trigger, past.attempt, past.ended_at
               FROM task_run AS run JOIN past_attempt AS past USING (clock, job, scheduled_at, slot_host)
              WHERE run.clock = wanted.clock AND run.job = wanted.job AND run.status = 'started' AND past.{IS_BAD}
                AND (wanted.host = '' OR coalesce(nullif(run.slot_host, ''), run.host) = wanted.host)
              ORDER BY past.scheduled_at, past.slot_host, past.replaced_at DESC)
        ) AS result
    ) AS bad
) AS streak
WHERE results > 0 GROUP BY clock, job
"""  # noqa: S608 - our own text


@dataclass(frozen=True)
class Streak:
    """The bad results of a job since its last good one, of the host with the most of them.

    Attributes:
        slots: those that alerts count.
        missed: how many of them no host began.
        counts_from: when a further one begins to count, because systemd has tried it for the last time.
    """

    slots: int
    missed: int
    counts_from: datetime | None


@dataclass(frozen=True)
class Running:
    """Since when a job runs, and how long it may take by its last runs (seconds); None if it has had too few."""

    since: datetime
    usual_limit: float | None


@dataclass(frozen=True)
class JobRows:
    """What the ledger says of the jobs, by clock and job."""

    last_success: Mapping[Job, datetime] = field(default_factory=dict)
    deadlines: Mapping[Job, datetime] = field(default_factory=dict)
    running: Mapping[Job, Running] = field(default_factory=dict)
    bad: Mapping[Job, Streak] = field(default_factory=dict)


def read(
    connection: Connection,
    deployed: Sequence[DeployedJob],
    accounted_until: Mapping[str, datetime | None],
    now: datetime,
) -> JobRows:
    """Read the rows of some jobs, in the caller's transaction.

    Args:
        connection: in a transaction that sees one state of the ledger.
        deployed: their current deployments on all hosts.
        accounted_until: by host.
        now: the instant: results after it don't count yet.
    """
    connection.execute(ROW_BY_ROW)
    running = connection.execute(_RUNNING).fetchall()
    bad = connection.execute(_BAD, {"now": now}).fetchall()
    return JobRows(
        _last_success(connection, deployed, now),
        _deadlines(connection, deployed, accounted_until),
        {(clock, job): Running(since, limit) for clock, job, since, limit in running},
        {(clock, job): Streak(*streak) for clock, job, *streak in bad},
    )


def _values(wanted: Iterable[Key]) -> dict[str, list[str]]:
    clocks, jobs, hosts = map(list, zip(*wanted, strict=True))
    return {"clocks": clocks, "jobs": jobs, "hosts": hosts}


def _last_success(connection: Connection, deployed: Sequence[DeployedJob], now: datetime) -> dict[Job, datetime]:
    wanted = list(dict.fromkeys(map(deadlines.of_slots, deployed)))
    if not wanted:
        return {}
    found: dict[Job, datetime] = {}
    for n, at in connection.execute(_LAST_SUCCESS, {**_values(wanted), "now": now}):
        job = wanted[n - 1][:2]
        found[job] = min(at, found.get(job, at))
    return found


def _deadlines(
    connection: Connection, deployed: Sequence[DeployedJob], accounted_until: Mapping[str, datetime | None]
) -> dict[Job, datetime]:
    """The earliest deadline of each job: of one that several hosts have, whichever is first."""
    after = {id(job): deadlines.first_open(job, accounted_until.get(job.host)) for job in deployed}
    since: dict[Key, datetime] = {}
    for job in deployed:
        key = deadlines.of_slots(job)
        since[key] = min(after[id(job)], since.get(key, after[id(job)]))
    recorded = _recorded(connection, since)
    # Many jobs have the same schedule.
    known: dict[tuple[Trigger, datetime], datetime | None] = {}

    def next_due(job: DeployedJob, at: datetime) -> datetime | None:
        key = job.trigger, at
        if key not in known or job.options.get("paused"):
            known[key] = deadlines.next_due(job, at)
        return known[key]

    found: dict[Job, datetime] = {}
    for job in deployed:
        slots = recorded[deadlines.of_slots(job)]
        if at := deadlines.deadline(job, after[id(job)], slots, next_due):
            found[job.clock, job.job] = min(at, found.get((job.clock, job.job), at))
    return found


def _recorded(connection: Connection, since: Mapping[Key, datetime]) -> Mapping[Key, set[datetime]]:
    """The nominal times with a row, of each key after an instant; all of them, a page of each at a time."""
    recorded: dict[Key, set[datetime]] = defaultdict(set)
    remaining = dict(since)
    while remaining:
        wanted = list(remaining)
        rows = connection.execute(_RECORDED, {**_values(wanted), "after": list(remaining.values())}).fetchall()
        remaining = {}
        for n, slots in rows:
            recorded[wanted[n - 1]].update(slots)
            if len(slots) == PAGE:
                remaining[wanted[n - 1]] = max(slots)
    return recorded
