"""The watch's judgement: open and close incidents, beside those that the database opens as results are written.

A job's results are judged in the database, in the transaction that writes them; here they are judged again, for what
two concurrent transactions, a deployment or the end of a pause changed. The other kinds are judged here: what is wrong
now (`faults`) opens an incident, and what is no longer wrong closes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduled_tasks.alert import outbox
from scheduled_tasks.alert.faults import Fault, faults
from scheduled_tasks.alert.incidents import OF_RESULTS, Kind
from scheduled_tasks.operate import deployments, pauses
from scheduled_tasks.operate.status import IS_BAD

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

INTERVAL = timedelta(seconds=30)  # within which one host judges for all
BATCH = 50  # jobs that are judged in one transaction
NO_ROUTE = "no route is configured"
ROUTES_KNOWN_FOR = timedelta(hours=1)  # a host without routes drops no notice if another one had routes in this time


def judge(connection: Connection, now: datetime, *, has_routes: bool) -> None:
    """Judge all jobs and hosts, unless another host has done so a moment ago.

    Args:
        connection: on which each statement is a transaction of its own.
        now: the database's time.
        has_routes: whether this host's configuration has a route. If no host's has, all notices are dropped, so that
            the first route that is configured floods nobody.
    """
    if has_routes:
        _done(connection, "routes", now, timedelta())
    elif not connection.execute(
        "SELECT FROM maintenance WHERE name = 'routes' AND done_at > %s", [now - ROUTES_KNOWN_FOR]
    ).rowcount:
        outbox.drop_all(connection, NO_ROUTE)
    if _done(connection, "judge", now, INTERVAL):
        judge_results(connection)
        judge_faults(connection, faults(connection, now), now)


def _done(connection: Connection, name: str, now: datetime, interval: timedelta) -> bool:
    """Record that work was done for all hosts; False if one had done it within an interval."""
    return bool(
        connection.execute(
            "INSERT INTO maintenance AS last (name, done_at) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE"
            " SET done_at = excluded.done_at WHERE last.done_at NOT BETWEEN excluded.done_at - %s AND excluded.done_at",
            [name, now, interval],
        ).rowcount
    )


# Each job that has a bad result without a later good one, or an open incident. Its incident is of another subject if
# its hosts were not judged each for itself then, or are not any more.
_DEPLOYED = """
LATERAL (SELECT options->>'per_host' = 'true' AS each_host FROM deployed_job
          WHERE clock = judged.clock AND job = judged.job AND valid_until IS NULL
          ORDER BY valid_from DESC LIMIT 1) AS deployed
"""
_TO_JUDGE = f"""
SELECT clock, job, CASE WHEN each_host THEN judged.host ELSE '' END AS on_host, false AS is_other
  FROM (SELECT DISTINCT clock, job, coalesce(nullif(slot_host, ''), host) AS host FROM task_run
         WHERE {IS_BAD} AND NOT is_resolved) AS judged CROSS JOIN {_DEPLOYED}
UNION
SELECT clock, job, host, coalesce(each_host <> (host <> ''), false)
  FROM incident AS judged LEFT JOIN {_DEPLOYED} ON true WHERE closed_at IS NULL AND kind IN ('failing', 'missed')
 ORDER BY clock, job, on_host
"""  # noqa: S608 - our own text


def judge_results(connection: Connection) -> None:
    """Judge the results of each job that may have an incident, in batches, so that no run waits for long."""
    rows = connection.execute(_TO_JUDGE).fetchall()
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        clocks, jobs, hosts, others = map(list, zip(*some, strict=True))
        connection.execute(
            "SELECT CASE WHEN is_other THEN close_incident(clock, job, host, NULL, 'per_host was changed')"
            " ELSE try_to_judge(clock, job, host) END"
            " FROM unnest(%s::text[], %s::text[], %s::text[], %s::boolean[]) AS wanted (clock, job, host, is_other)",
            [clocks, jobs, hosts, others],
        )


def judge_faults(connection: Connection, found: Iterable[Fault], now: datetime) -> None:
    """Open an incident for each fault that has none, and close those whose fault is gone, in one transaction."""
    by_subject = {fault.subject: fault for fault in found}
    with connection.transaction():
        rows = connection.execute(
            "SELECT id, kind, coalesce(clock, ''), coalesce(job, ''), host FROM incident"
            " WHERE closed_at IS NULL AND kind <> ALL (%s) ORDER BY subject FOR UPDATE",
            [list(OF_RESULTS)],
        ).fetchall()
        known = {(Kind(kind), clock, job, host): number for number, kind, clock, job, host in rows}
        for subject, number in known.items():
            if subject in by_subject:
                _continue(connection, number, by_subject[subject])
            else:
                _close(connection, number, subject[0], now)
        new = [
            fault for subject, fault in sorted(by_subject.items()) if subject not in known and not fault.only_continues
        ]
        for fault in _of_active_jobs(connection, new, now) if new else ():
            _open(connection, fault, now)


def _of_active_jobs(connection: Connection, new: list[Fault], now: datetime) -> list[Fault]:
    """The faults of hosts, and of jobs that are not paused on all of their hosts."""
    active = pauses.active(connection, now)
    jobs = {(fault.clock, fault.job) for fault in new if fault.job}
    running = {
        (deployed.clock, deployed.job)
        for deployed in deployments.deployed_now(connection, among=sorted(jobs))
        if not deployed.options.get("paused")
        and not any(pause.covers(deployed.clock, deployed.job, deployed.host) for pause in active)
    }
    return [fault for fault in new if not fault.job or (fault.clock, fault.job) in running]


def _open(connection: Connection, fault: Fault, now: datetime) -> None:
    connection.execute(
        "WITH opened AS (INSERT INTO incident"
        "  (kind, clock, job, host, run_host, opened_at, first_at, last_at, run_id, reason, bad)"
        "  VALUES (%s, nullif(%s, ''), nullif(%s, ''), %s, %s, %s, %s, %s, %s, %s, %s)"
        "  ON CONFLICT (subject) WHERE closed_at IS NULL DO NOTHING RETURNING id)"
        " SELECT add_notice(id, 'opened', %s) FROM opened",
        [
            fault.kind, fault.clock, fault.job, fault.host, fault.run_host, now, fault.since, fault.since, fault.run_id,
            fault.reason, 1 if fault.run_id else 0, now,
        ],
    )  # fmt: skip


def _continue(connection: Connection, number: int, fault: Fault) -> None:
    """Record a fault's present reason; a further run with it counts."""
    connection.execute(
        "UPDATE incident SET reason = %(reason)s, run_host = %(run_host)s, last_at = greatest(last_at, %(since)s),"
        " bad = bad + (run_id IS DISTINCT FROM %(run_id)s)::int, run_id = %(run_id)s"
        " WHERE id = %(id)s AND (reason, run_id) IS DISTINCT FROM (%(reason)s, %(run_id)s::uuid)",
        {
            "id": number, "reason": fault.reason, "run_host": fault.run_host, "since": fault.since,
            "run_id": fault.run_id,
        },
    )  # fmt: skip


_CLOSED_BECAUSE = {
    Kind.LATE: "a run began on time",
    Kind.SHORT: "a run took long enough",
    Kind.SLOW: "the run is over",
    Kind.SILENT: "it has heartbeats again, or was removed",
    Kind.STALE: "its slots are accounted for again",
    Kind.UNSENT: "no notice is overdue any more",
}


def _close(connection: Connection, number: int, kind: Kind, now: datetime) -> None:
    connection.execute(
        "UPDATE incident SET closed_at = %s, close_reason = %s WHERE id = %s", [now, _CLOSED_BECAUSE[kind], number]
    )
    connection.execute("SELECT add_notice(%s, 'closed', %s)", [number, now])
