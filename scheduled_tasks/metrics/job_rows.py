"""Read from the ledger what metrics need of its jobs: few rows of an index for each, whatever the ledger holds.

Input are the current deployments and an instant; output are values by subject: a job, or with `per_host` a job on one
host, as alerts judge them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.alert.faults import EXPECTED_FACTOR, LAST_RUNS, MIN_EXPECTED, MIN_RUNS
from scheduled_tasks.metrics import deadlines
from scheduled_tasks.operate.status import IS_BAD, RESULT_AT, ROW_BY_ROW

if TYPE_CHECKING:
    from scheduled_tasks.metrics.deadlines import Subject
    from scheduled_tasks.operate.slots import DeployedJob
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.schedule.trigger import Trigger

PAGE = 100  # rows of slots after which a job's deadline is looked for; more only while the account is far behind
MAX_STREAK = 1000  # bad slots: no more are counted, as in judge_job (migrations/0002)

_WANTED = """
unnest(%(clocks)s::text[], %(jobs)s::text[], %(hosts)s::text[]) WITH ORDINALITY AS wanted (clock, job, host, n)
"""
_OF_WANTED = "clock = wanted.clock AND job = wanted.job"
_ON_HOST = "(wanted.host = '' OR coalesce(nullif(slot_host, ''), task_run.host) = wanted.host)"
_OFF = "feature % is not active"  # how run/main.py says that a run was skipped
_OFF_PATTERN = _OFF.replace("%", "%%")
# RESULT_AT is what the index task_run_good is sorted by.
_LAST = f"""
SELECT wanted.n, good.at, last.reason FROM {_WANTED} LEFT JOIN LATERAL (
    SELECT {RESULT_AT} AS at FROM task_run
     WHERE {_OF_WANTED} AND status = 'ended' AND {_ON_HOST} AND {RESULT_AT} <= %(now)s
     ORDER BY {RESULT_AT} DESC LIMIT 1) AS good ON true
LEFT JOIN LATERAL (
    SELECT CASE WHEN status = 'skipped' AND reason LIKE '{_OFF_PATTERN}' THEN reason END AS reason FROM task_run
     WHERE {_OF_WANTED} AND status <> 'missed' AND {_ON_HOST} AND started_at <= %(now)s
     ORDER BY started_at DESC LIMIT 1) AS last ON true
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
SELECT run.clock, run.job, coalesce(nullif(slot_host, ''), host), started_at, (
           SELECT CASE WHEN count(*) >= {MIN_RUNS} THEN greatest(
                       {EXPECTED_FACTOR} * percentile_cont(0.5) WITHIN GROUP (ORDER BY duration), {MIN_EXPECTED}) END
             FROM (SELECT duration FROM task_run AS past
                    WHERE past.clock = run.clock AND past.job = run.job AND status = 'ended' AND duration IS NOT NULL
                    ORDER BY {RESULT_AT} DESC LIMIT {LAST_RUNS}) AS past)
  FROM task_run AS run
 WHERE status = 'started' AND slot_host IS NOT NULL AND trigger IN ('timer', 'watch') AND job IS NOT NULL
"""  # noqa: S608 - our own text
# The rule of judge_job (migrations/0002): of each bad job, the results since its last good one that count. A failed
# attempt that systemd will try again counts later: at `counts_from`.
_BAD = f"""
WITH bad_job AS MATERIALIZED (
    SELECT DISTINCT clock, job FROM task_run WHERE {IS_BAD} AND NOT is_resolved
    UNION
    SELECT run.clock, run.job FROM task_run AS run JOIN past_attempt AS past USING (clock, job, scheduled_at, slot_host)
     WHERE run.status = 'started' AND past.{IS_BAD}
), wanted AS MATERIALIZED (
    SELECT DISTINCT ON (clock, job, judged.host) clock, job, judged.host,
           coalesce((options->>'retries')::integer, 0) AS retries,
           coalesce((options->>'retry_delay')::float, 0) AS retry_delay
      FROM bad_job JOIN deployed_job AS deployed USING (clock, job)
     CROSS JOIN LATERAL (
        SELECT CASE WHEN options->>'per_host' = 'true' THEN deployed.host ELSE '' END AS host) AS judged
     WHERE valid_until IS NULL ORDER BY clock, job, judged.host, valid_from DESC, id DESC
)
SELECT clock, job, wanted.host, streak.* FROM wanted LEFT JOIN LATERAL (
    SELECT {RESULT_AT} AS at FROM task_run
     WHERE {_OF_WANTED} AND status = 'ended' AND {_ON_HOST} AND {RESULT_AT} <= %(now)s
       AND (scheduled_at <= %(now)s OR scheduled_at IS NULL)
     ORDER BY {RESULT_AT} DESC LIMIT 1) AS good ON true
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE is_automatic AND counts_from <= %(now)s) AS slots,
           count(*) FILTER (WHERE is_automatic AND status = 'missed') AS missed,
           count(*) FILTER (WHERE is_automatic AND status = 'lost') AS lost,
           min(counts_from) FILTER (WHERE is_automatic AND counts_from > %(now)s) AS counts_from,
           count(*) AS results
      FROM (
        SELECT status, slot_host IS NOT NULL AND (trigger IN ('timer', 'watch') OR attempt > 1) AS is_automatic,
               CASE WHEN status = 'failed' AND attempt <= retries
                    THEN ended_at + (60 + retry_delay) * interval '1 s' ELSE '-infinity' END AS counts_from
          FROM (
            (SELECT status, slot_host, trigger, attempt, ended_at FROM task_run
              WHERE {_OF_WANTED} AND {IS_BAD} AND {_ON_HOST} AND (scheduled_at <= %(now)s OR scheduled_at IS NULL)
                AND {RESULT_AT} <= %(now)s AND {RESULT_AT} > coalesce(good.at, '-infinity')
              ORDER BY {RESULT_AT} DESC LIMIT {MAX_STREAK})
            UNION ALL  -- a bad slot that runs again stays bad
            (SELECT DISTINCT ON (past.scheduled_at, past.slot_host)
                    past.status, past.slot_host, past.trigger, past.attempt, past.ended_at
               FROM task_run JOIN past_attempt AS past USING (clock, job, scheduled_at, slot_host)
              WHERE task_run.clock = wanted.clock AND task_run.job = wanted.job AND task_run.status = 'started'
                AND past.{IS_BAD}
                AND (wanted.host = '' OR coalesce(nullif(task_run.slot_host, ''), task_run.host) = wanted.host)
                AND CASE past.status WHEN 'failed' THEN coalesce(past.ended_at, past.started_at)
                                     ELSE past.started_at END > coalesce(good.at, '-infinity')
              ORDER BY past.scheduled_at, past.slot_host, past.replaced_at DESC)
        ) AS result
    ) AS bad
) AS streak
WHERE results > 0
"""  # noqa: S608 - our own text


class Streak(NamedTuple):
    """The bad results of a subject since its last good one.

    Attributes:
        slots: those that alerts count.
        missed, lost: how many of them no host began; how many ended nobody knows how.
        counts_from: when a further one begins to count, because systemd has tried it for the last time.
    """

    slots: int
    missed: int
    lost: int
    counts_from: datetime | None = None


class Running(NamedTuple):
    """Since when a job runs, and how long it may take by its last runs (seconds); None if it has had too few."""

    since: datetime
    usual_limit: float | None


@dataclass(frozen=True)
class JobRows:
    """What the ledger says of the subjects.

    Attributes:
        last_success: when a run last ended well.
        off: the flag because of which the last run was skipped.
        deadlines: when the earliest slot without a row is overdue.
        running: the longest of its current runs.
        bad: of those that are bad, by the rule of operate/status.py.
    """

    last_success: Mapping[Subject, datetime] = field(default_factory=dict)
    off: Mapping[Subject, str] = field(default_factory=dict)
    deadlines: Mapping[Subject, datetime] = field(default_factory=dict)
    running: Mapping[Subject, Running] = field(default_factory=dict)
    bad: Mapping[Subject, Streak] = field(default_factory=dict)


def read(
    connection: Connection,
    deployed: Mapping[Subject, Sequence[DeployedJob]],
    accounted_until: Mapping[str, datetime | None],
    now: datetime,
) -> JobRows:
    """Read the rows of some subjects, in the caller's transaction.

    Args:
        connection: in a transaction that sees one state of the ledger.
        deployed: their current deployments.
        accounted_until: by host.
        now: the instant: results after it don't count yet.
    """
    connection.execute(ROW_BY_ROW)
    last_success: dict[Subject, datetime] = {}
    off: dict[Subject, str] = {}
    wanted = list(deployed)
    if wanted:
        for n, at, reason in connection.execute(_LAST, {**_columns(wanted), "now": now}):
            if at:
                last_success[wanted[n - 1]] = at
            if reason:
                off[wanted[n - 1]] = reason.split()[1]
    return JobRows(
        last_success,
        off,
        _deadlines(connection, deployed, accounted_until),
        _running(connection, deployed),
        {
            (clock, job, host): Streak(*streak)
            for clock, job, host, *streak, _results in connection.execute(_BAD, {"now": now})
        },
    )


def _columns(wanted: Iterable[Subject]) -> dict[str, list[str]]:
    clocks, jobs, hosts = map(list, zip(*wanted, strict=True))
    return {"clocks": clocks, "jobs": jobs, "hosts": hosts}


def _running(connection: Connection, deployed: Mapping[Subject, object]) -> dict[Subject, Running]:
    # Sorted here: while sorts are off, the database would read all rows in the order of an index instead.
    rows = sorted(connection.execute(_RUNNING).fetchall(), key=itemgetter(3), reverse=True)
    return {
        subject: Running(since, limit)
        for clock, job, host, since, limit in rows
        for subject in ((clock, job, ""), (clock, job, host))
        if subject in deployed
    }


def _deadlines(
    connection: Connection,
    deployed: Mapping[Subject, Sequence[DeployedJob]],
    accounted_until: Mapping[str, datetime | None],
) -> dict[Subject, datetime]:
    """The earliest deadline of each subject: of a job that several hosts have, whichever is first."""
    after = {
        subject: [deadlines.first_open(job, accounted_until.get(job.host)) for job in on_hosts]
        for subject, on_hosts in deployed.items()
    }
    recorded = _recorded(connection, {subject: min(instants) for subject, instants in after.items()})
    # Many jobs have the same schedule.
    known: dict[tuple[Trigger, bool, datetime], datetime | None] = {}

    def next_due(job: DeployedJob, at: datetime) -> datetime | None:
        key = job.trigger, bool(job.options.get("paused")), at
        if key not in known:
            known[key] = deadlines.next_due(job, at)
        return known[key]

    found: dict[Subject, datetime] = {}
    for subject, on_hosts in deployed.items():
        pairs = zip(on_hosts, after[subject], strict=True)
        ends = [at for job, since in pairs if (at := deadlines.deadline(job, since, recorded[subject], next_due))]
        if ends:
            found[subject] = min(ends)
    return found


def _recorded(connection: Connection, since: Mapping[Subject, datetime]) -> Mapping[Subject, set[datetime]]:
    """The nominal times with a row, of each subject after an instant; all of them, a page of each at a time."""
    recorded: dict[Subject, set[datetime]] = defaultdict(set)
    remaining = dict(since)
    while remaining:
        wanted = list(remaining)
        rows = connection.execute(_RECORDED, {**_columns(wanted), "after": list(remaining.values())}).fetchall()
        remaining = {}
        for n, slots in rows:
            recorded[wanted[n - 1]].update(slots)
            if len(slots) == PAGE:
                remaining[wanted[n - 1]] = max(slots)
    return recorded
