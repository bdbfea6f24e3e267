"""What is wrong now, beside results: runs that are slow, late or short, and hosts that are silent or not accounted for.

Input is the ledger and an instant; output are values, nothing is written. Each look reads what is running, what began
lately and what is open already, not the whole ledger. A run that began and ended between two looks is judged too: it is
a fault until its incident knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING
from uuid import UUID

from scheduled_tasks.alert import outbox
from scheduled_tasks.alert.incidents import Kind
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.account import HEARTBEAT_GAP, HOST_TIMEOUT, SETTLING_TIME
from scheduled_tasks.operate.status import RESULT_AT, ROW_BY_ROW
from scheduled_tasks.quantities import counted, duration
from scheduled_tasks.schedule.evaluator import occurrences

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

MAX_UNSENT = timedelta(minutes=5)  # a notice that is due for longer is overdue
MAX_ACCOUNT_AGE = timedelta(minutes=5)
FOUND_WITHIN = timedelta(minutes=15)  # of its start, a run that began late, or that the watch never saw running
EXPECTED_FACTOR, MIN_EXPECTED = 3, 300  # times the median of the last runs; seconds
MIN_RUNS, LAST_RUNS = 5, 20  # from which the expected duration is computed, if the clock file has none


@dataclass(frozen=True)
class Fault:
    """What is wrong now: it opens an incident, or continues one.

    Attributes:
        kind: what is wrong.
        since: since when; of a run, its nominal time.
        reason: in a sentence without a full stop.
        clock, job, host, run_host, run_id: as of an `Incident`.
        only_continues: it opens no incident, but it closes none either.
    """

    kind: Kind
    since: datetime
    reason: str
    clock: str = ""
    job: str = ""
    host: str = ""
    run_host: str = ""
    run_id: UUID | None = None
    only_continues: bool = False

    @property
    def subject(self) -> tuple[Kind, str, str, str]:
        """What it is about."""
        return self.kind, self.clock, self.job, self.host


def faults(connection: Connection, now: datetime) -> list[Fault]:
    """All faults at an instant."""
    with connection.transaction():
        connection.execute(ROW_BY_ROW)
        return [
            *slow_runs(connection, now),
            *late_runs(connection, now),
            *short_runs(connection, now),
            *silent_hosts(connection, now),
            *stale_hosts(connection, now),
            *overdue_notices(connection, now),
        ]


# Only what started automatically: who starts a run by hand watches it.
_AUTOMATIC = "slot_host IS NOT NULL AND trigger IN ('timer', 'watch')"
# The options of the job on the run's host, or on another one; as two probes of indexes, because sorts are off here.
_OPTIONS = """
LATERAL (SELECT options,
                CASE WHEN options->>'per_host' = 'true' THEN coalesce(nullif(slot_host, ''), run.host) ELSE '' END
                AS judged
           FROM (SELECT coalesce(
                    (SELECT options FROM deployed_job
                      WHERE host = run.host AND clock = run.clock AND job = run.job AND valid_until IS NULL),
                    (SELECT options FROM deployed_job
                      WHERE clock = run.clock AND job = run.job AND valid_until IS NULL LIMIT 1)) AS options) AS known
          WHERE options IS NOT NULL) AS deployed
"""
# A job without expected_duration is expected to take at most EXPECTED_FACTOR times the median of its last runs.
_SLOW = f"""
SELECT run.clock, run.job, judged, run.host, run_id, scheduled_at, extract(epoch FROM %(now)s - started_at), expected,
       is_given
  FROM task_run AS run CROSS JOIN {_OPTIONS} CROSS JOIN LATERAL (
      SELECT CASE WHEN options->>'expected_duration' IS NOT NULL THEN (options->>'expected_duration')::float
                  WHEN started_at < %(now)s - {MIN_EXPECTED} * interval '1 s' THEN (
          SELECT CASE WHEN count(*) >= {MIN_RUNS} THEN greatest(
                      {EXPECTED_FACTOR} * percentile_cont(0.5) WITHIN GROUP (ORDER BY duration), {MIN_EXPECTED}) END
            FROM (SELECT duration FROM task_run AS past
                   WHERE past.clock = run.clock AND past.job = run.job AND status = 'ended' AND duration IS NOT NULL
                   ORDER BY {RESULT_AT} DESC LIMIT {LAST_RUNS}) AS past) END AS expected,
             options->>'expected_duration' IS NOT NULL AS is_given
  ) AS limits
 WHERE status = 'started' AND {_AUTOMATIC} AND started_at + expected * interval '1 s' < %(now)s
"""  # noqa: S608 - our own text


def slow_runs(connection: Connection, now: datetime) -> Iterator[Fault]:
    """The runs that take longer than expected, or took longer before a look saw them; of several of a job, one."""
    seen = set()
    rows = sorted(connection.execute(_SLOW, {"now": now}), key=itemgetter(6), reverse=True)
    for clock, job, host, run_host, run_id, at, seconds, expected, is_given in rows:
        if (clock, job, host) not in seen:
            seen.add((clock, job, host))
            usual = "" if is_given else ", three times its usual duration"
            reason = (
                f"it has been running for {duration(float(seconds))}; expected are at most {duration(expected)}{usual}"
            )
            yield Fault(Kind.SLOW, at, reason, clock, job, host, run_host, run_id)
    for fault in _unseen(connection, Kind.SLOW, now):
        if fault.subject[1:] not in seen:
            yield fault


# The runs that ended before a look could judge them, and of which no incident has told: of each job that has the
# option, those that began lately. Nearly all runs are within every host's limit, so that their host's is not looked up.
_UNSEEN = """
SELECT DISTINCT ON (run.clock, run.job, judged) run.clock, run.job, judged, run.host, run_id, scheduled_at, duration,
       (options->>'{option}')::float
  FROM (SELECT clock, job, {nearest}((options->>'{option}')::float) AS nearest FROM deployed_job
         WHERE valid_until IS NULL AND options->>'{option}' IS NOT NULL GROUP BY clock, job) AS wanted
  JOIN task_run AS run USING (clock, job) CROSS JOIN {options}
 WHERE started_at BETWEEN %(now)s - %(window)s AND %(now)s AND status = ANY (%(ended)s) AND {automatic}
   AND duration {exceeds} nearest AND duration {exceeds} (options->>'{option}')::float
   AND NOT EXISTS (SELECT FROM incident WHERE last_at >= scheduled_at
                      AND subject = %(kind)s || ' ' || run.clock || '/' || run.job || ' ' || judged)
 ORDER BY run.clock, run.job, judged, scheduled_at DESC
"""
_UNSEEN_BY_KIND = {
    kind: _UNSEEN.format(option=option, exceeds=exceeds, nearest=nearest, options=_OPTIONS, automatic=_AUTOMATIC)
    for kind, option, exceeds, nearest in (
        (Kind.SLOW, "expected_duration", ">", "min"),
        (Kind.SHORT, "expected_at_least", "<", "max"),
    )
}
_ENDED = {Kind.SLOW: ["ended", "failed"], Kind.SHORT: ["ended"]}


def _unseen(connection: Connection, kind: Kind, now: datetime) -> Iterator[Fault]:
    """The last run of each job that was slow or short, and that no incident knows."""
    values = {"now": now, "window": FOUND_WITHIN, "kind": kind, "ended": _ENDED[kind]}
    for clock, job, host, run_host, run_id, at, seconds, limit in connection.execute(_UNSEEN_BY_KIND[kind], values):
        yield Fault(kind, at, _took(kind, seconds, limit), clock, job, host, run_host, run_id)


def _took(kind: Kind, seconds: float, limit: float) -> str:
    """The reason of a run that ended."""
    if kind is Kind.SHORT:
        return f"it ended well after {duration(seconds)}; expected are at least {duration(limit)}"
    return f"it took {duration(seconds)}; expected are at most {duration(limit)}"


# The last run of each job of which one began late in this time, or of which it was late before. A run that makes up for
# a missed slot is not late: that slot's incident has told of it.
_LATE = f"""
WITH judged AS (
    SELECT run.clock, run.job, deployed.judged FROM task_run AS run CROSS JOIN {_OPTIONS}
     WHERE started_at BETWEEN %(now)s - %(window)s AND %(now)s AND lag > %(least)s AND {_AUTOMATIC}
    UNION
    SELECT clock, job, host FROM incident WHERE kind = 'late' AND closed_at IS NULL
)
SELECT clock, job, judged, last.* FROM judged CROSS JOIN LATERAL (
    SELECT host, run_id, scheduled_at, started_at, lag, coalesce(reason LIKE 'was missed%%', false)
      FROM task_run AS run
     WHERE run.clock = judged.clock AND run.job = judged.job AND started_at <= %(now)s
       AND judged IN ('', coalesce(nullif(slot_host, ''), host)) AND {_AUTOMATIC}
       AND status NOT IN ('missed', 'skipped')
     ORDER BY started_at DESC LIMIT 1) AS last
"""  # noqa: S608 - our own text


def late_runs(connection: Connection, now: datetime) -> Iterator[Fault]:
    """The last runs that began after their slot was overdue, unless the next slot was due by then."""
    values = {"now": now, "window": FOUND_WITHIN, "least": MIN_LAG}
    rows = connection.execute(_LATE, values).fetchall()
    jobs = sorted({(clock, job) for clock, job, *_ in rows})
    deployed = {(job.clock, job.job): job for job in deployments.deployed_now(connection, among=jobs)} if rows else {}
    for clock, job, host, run_host, run_id, at, started_at, lag, was_missed in rows:
        known = deployed.get((clock, job))
        if known and lag and timedelta(seconds=lag) > known.overdue_after:
            passed = next(iter(occurrences(known.trigger, after=at, until=started_at)), None)
            reason = f"it began {duration(lag)} after its time"
            yield Fault(
                Kind.LATE, at, reason, clock, job, host, run_host, run_id, only_continues=was_missed or bool(passed)
            )


MIN_LAG = 60  # seconds after which no slot is overdue yet
_SHORT = f"""
SELECT deployed.clock, deployed.job, judged, last.host, run_id, scheduled_at, duration, at_least
  FROM (SELECT DISTINCT ON (clock, job, judged) clock, job, judged, (options->>'expected_at_least')::float AS at_least
          FROM (SELECT *, CASE WHEN options->>'per_host' = 'true' THEN host ELSE '' END AS judged FROM deployed_job
                 WHERE valid_until IS NULL AND options->>'expected_at_least' IS NOT NULL) AS known
         ORDER BY clock, job, judged, valid_from DESC) AS deployed
 CROSS JOIN LATERAL (
    SELECT host, run_id, scheduled_at, duration FROM task_run AS run
     WHERE run.clock = deployed.clock AND run.job = deployed.job AND status = 'ended'
       AND judged IN ('', coalesce(nullif(slot_host, ''), host)) AND {_AUTOMATIC}
     ORDER BY {RESULT_AT} DESC LIMIT 1) AS last
 WHERE duration < at_least
"""  # noqa: S608 - our own text


def short_runs(connection: Connection, now: datetime) -> Iterator[Fault]:
    """The last good runs that took less time than their jobs can take (`expected_at_least`), and others unseen."""
    for clock, job, host, run_host, run_id, at, seconds, at_least in connection.execute(_SHORT):
        yield Fault(Kind.SHORT, at, _took(Kind.SHORT, seconds, at_least), clock, job, host, run_host, run_id)
    yield from _unseen(connection, Kind.SHORT, now)


def silent_hosts(connection: Connection, now: datetime) -> Iterator[Fault]:
    """The hosts with jobs that have no heartbeat, if another host's come regularly.

    Otherwise the database may have been away for all of them.
    """
    rows = connection.execute(
        "SELECT name, heartbeat_at, count(*) FROM host JOIN deployed_job ON host = name AND valid_until IS NULL"
        " WHERE heartbeat_at < %(now)s - %(timeout)s AND EXISTS (SELECT FROM host AS other"
        "  WHERE heartbeat_at >= %(now)s - %(gap)s AND heartbeat_at - heartbeats_since >= %(settling)s)"
        " GROUP BY name ORDER BY name",
        {"now": now, "timeout": HOST_TIMEOUT, "gap": HEARTBEAT_GAP, "settling": SETTLING_TIME},
    )
    for host, heartbeat_at, jobs in rows:
        reason = f"no heartbeat since {rfc3339(heartbeat_at)}; it has {counted(jobs, 'job')}"
        yield Fault(Kind.SILENT, heartbeat_at, reason, host=host)


_ACCOUNT_AGES = """
SELECT name, greatest(accounted_at, heartbeats_since, CASE WHEN heartbeat_at < %(now)s - %(timeout)s
                                                           THEN heartbeat_at + %(timeout)s END) AS since,
       heartbeat_at < %(now)s - %(timeout)s AS is_silent
  FROM host WHERE EXISTS (SELECT FROM deployed_job WHERE host = name AND valid_until IS NULL)
 ORDER BY name
"""


def account_age(connection: Connection, now: datetime) -> timedelta:
    """How long ago the slots of the host that waits longest were accounted for; zero if no host has jobs.

    Of a host without a heartbeat, other hosts account for the slots from HOST_TIMEOUT on.
    """
    rows = connection.execute(_ACCOUNT_AGES, {"now": now, "timeout": HOST_TIMEOUT}).fetchall()
    return max((now - since for _, since, _ in rows if since), default=timedelta())


def stale_hosts(connection: Connection, now: datetime) -> Iterator[Fault]:
    """The hosts whose slots are not accounted for, although they have heartbeats."""
    for host, since, is_silent in connection.execute(_ACCOUNT_AGES, {"now": now, "timeout": HOST_TIMEOUT}).fetchall():
        if not is_silent and since and now - since > MAX_ACCOUNT_AGE:
            yield Fault(Kind.STALE, since, f"its slots have not been accounted for since {rfc3339(since)}", host=host)


def overdue_notices(connection: Connection, now: datetime) -> Iterator[Fault]:
    """One fault if a notice has been due for long, and nobody was told."""
    if (age := outbox.oldest_unsent(connection, now, of_all=False)) > MAX_UNSENT:
        row = connection.execute(
            f"SELECT count(*), max(error) FROM notice WHERE {outbox.IS_PENDING} AND due_at < %s",  # noqa: S608 - our own text
            [now],
        ).fetchone()
        number, error = row or (0, None)
        why = f": {error}" if error else ""
        yield Fault(Kind.UNSENT, now - age, f"{counted(number, 'notice')} not sent yet{why}")
