"""Record what runs could not: results that were spooled to disk, and runs that were killed.

It reads this host's files and asks its systemd, completes rows of `task_run`, and returns the slots to take over. A
failed job calls it (units/clock-failed.service.j2), and so does the watch; every step can be repeated safely. Each file
is tried on its own: whatever it is, the others are recorded. docs/explanation/ledger.md has the rules.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.operate.failures import Failure, read_failure
from scheduled_tasks.operate.pending import spooled_results
from scheduled_tasks.operate.pending.stuck_files import StuckFiles
from scheduled_tasks.run.columns import END, SLOT, START, listed, without
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scheduled_tasks.run.database import Connection


RESULTS, NOTES = "results", "failed"  # in the state folder: a folder for each job, and the failure notes
PENDING = (f"{RESULTS}/*/*{spooled_results.SUFFIX}", f"{NOTES}/*.note")


class LostRun(NamedTuple):
    """A run that is considered dead, and its slot."""

    clock: str
    job: str
    scheduled_at: datetime
    slot_host: str
    host: str


@dataclass(frozen=True)
class Reconciled:
    """How many results and failures were recorded, which runs are lost, and which slots can be taken over."""

    results: int = 0
    failures: int = 0
    lost: tuple[LostRun, ...] = ()
    to_take_over: tuple[LostRun, ...] = ()


def reconcile(
    connection: Connection,
    state: Path,
    *,
    host: str,
    jobs: Iterable[Mapping[str, Any]] = (),
    invocations: Callable[[Iterable[str]], Mapping[str, str | None]] | None = None,
) -> Reconciled:
    """Record what this host's runs left on disk, and close rows whose run cannot be alive any more.

    Args:
        connection: on which each statement is a transaction of its own.
        state: the state folder: results/UNIT/*.json are written by run-task, failed/*.note by failed services.
        host: this host's name.
        jobs: the host's jobs in its current set (jobs.json), for failures of runs that never began.
        invocations: returns, for units, systemd's invocation of each that runs now, or None if it waits for its next
            attempt. Without it, systemd isn't asked.
    """
    # Many failures at once start many of these processes: they take turns.
    with os.fdopen(os.open(state / "reconcile.lock", os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:  # not for tasks
        fcntl.flock(lock, fcntl.LOCK_EX)
        with StuckFiles(state, "results") as stuck:
            # A run's own result comes before the note of its failure, which says less.
            results = sum(_record_results(connection, folder, host, stuck) for folder in _entries(state / RESULTS))
            by_name = {(job["clock"], job["job"]): job for job in jobs}
            notes = [path for path in _entries(state / NOTES) if path.suffix == ".note"]
            failures = 0
            for path in notes:
                if failure := stuck.read(path, read_failure):
                    failures += stuck.record(path, partial(_record_failure, connection, failure, host, by_name)) or 0
    lost = _close_dead_runs(connection, host, invocations) if invocations else ()
    lost += close_expired_runs(connection)
    return Reconciled(results, failures, lost, tuple(_to_take_over(connection)))


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _record_results(connection: Connection, folder: Path, host: str, stuck: StuckFiles) -> int:
    """Record the results in a job's folder, up to a bounded number; return how many rows they completed."""
    try:
        spooled = spooled_results.list_results(folder, stuck.__contains__)
    except OSError as error:
        stuck.add(folder, f"its results can't be read: {error.strerror}")
        return 0
    if spooled is None or not spooled.paths:
        return 0
    if spooled.has_more:
        stuck.add(folder, f"it has many results: at most {spooled_results.MAX_FILES} are recorded at once")
    [(now,)] = connection.execute("SELECT clock_timestamp()").fetchall()
    parse = partial(spooled_results.parse_result, clock=spooled.clock, job=spooled.job, host=host, now=now)
    recorded = 0
    for path in spooled.paths:
        if result := stuck.read(path, parse, spooled_results.MAX_BYTES):
            recorded += stuck.record(path, partial(_record_result, connection, result, host)) or 0
    return recorded


def _record_result(connection: Connection, result: Mapping[str, Any], host: str) -> bool:
    """Complete the row of a run that spooled its result, or insert it if it has none. Return whether it did."""
    import psycopg

    names = {"host": host, "clock": result["clock"], "job": result["job"]}
    values = {**names, "result": json.dumps(result, default=str), "host_now": datetime.now(UTC)}
    if result["is_open"]:
        return bool(connection.execute(_COMPLETE, values).rowcount)
    try:
        return bool(connection.execute(_LATE, values).rowcount)
    except psycopg.errors.UniqueViolation:  # a run without a slot whose result was recorded before
        return False


_RESULT = without(START | END, "clock", "job", "host")
_RUN = f"""
result AS (
    SELECT * FROM jsonb_to_record(%(result)s::jsonb) AS result ({listed(_RESULT, "{0} {1}")}, started_at timestamptz)
)
"""  # noqa: S608 - our own text

_COMPLETE = f"""
WITH {_RUN}
UPDATE task_run AS run
   SET {listed(without(END, "reason"), "{0} = result.{0}")},
       ended_at = run.started_at + make_interval(secs => result.duration),
       reason = coalesce(result.reason, CASE WHEN run.status <> 'lost' THEN run.reason END)
  FROM result
 WHERE run.run_id = result.run_id AND run.attempt = result.attempt AND run.clock = %(clock)s AND run.job = %(job)s
   AND run.status IN ('started', 'lost')
"""  # noqa: S608 - our own text

# If another run has the slot's row, that row stays: the database was unreachable for this run only. When it started is
# by its host's clock, which may differ from the database's.
_LATE = f"""
WITH {_RUN}
INSERT INTO task_run AS run (clock, job, host, started_at, ended_at, {listed(_RESULT)})
SELECT %(clock)s, %(job)s, %(host)s, began.at, began.at + make_interval(secs => duration), {listed(_RESULT)}
  FROM result, LATERAL (SELECT started_at + (clock_timestamp() - %(host_now)s) AS at) AS began
ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO UPDATE
   SET started_at = excluded.started_at, ended_at = excluded.ended_at,
       {listed(without(START | END, *SLOT, "task"), "{0} = excluded.{0}")}
 WHERE run.status = 'missed' OR (run.attempt = 0 AND run.run_id <> excluded.run_id)
"""  # noqa: S608 - our own text


def _record_failure(
    connection: Connection, failure: Failure, host: str, jobs: Mapping[tuple[str, str], Mapping[str, Any]]
) -> bool:
    """Complete the row of a run that was killed, or insert one for a run that never began."""
    host_now = datetime.now(UTC)
    ended_ago = max(timedelta(), host_now - failure.ended_at) if failure.ended_at else timedelta()
    values = {**failure.row(), "host": host, "host_now": host_now, "ended_ago": ended_ago}
    # A result that the run recorded itself stays, with two exceptions: `Stopped` by a signal, because systemd knows why
    # it sent the signal; and `ended`, if the service failed afterwards because of a process that the run left behind or
    # another of its commands.
    known = connection.execute(
        "UPDATE task_run SET status = 'failed', duration = coalesce(duration, extract(epoch FROM"
        "  greatest(statement_timestamp() - %(ended_ago)s - started_at, interval '0'))),"
        " ended_at = CASE WHEN duration IS NULL THEN greatest(statement_timestamp() - %(ended_ago)s, started_at)"
        "  ELSE ended_at END,"
        " exit_code = coalesce(CASE WHEN status <> 'ended' THEN exit_code END, %(exit_code)s),"
        " error_type = %(error_type)s,"
        " error_message = CASE status WHEN 'ended' THEN %(message_after_end)s ELSE %(error_message)s END,"
        " cpu_seconds = coalesce(cpu_seconds, %(cpu_seconds)s),"
        " memory_peak = coalesce(memory_peak, %(memory_peak)s), reason = CASE WHEN status <> 'lost' THEN reason END"
        " WHERE invocation_id = %(invocation_id)s AND host = %(host)s AND clock = %(clock)s AND job = %(job)s"
        " AND (status IN ('started', 'lost', 'ended')"
        "  OR (status = 'failed' AND error_type = 'Stopped' AND %(was_stopped)s))",
        values,
    ).rowcount
    has_row = "SELECT FROM task_run WHERE invocation_id = %(invocation_id)s"
    if not known and not connection.execute(has_row, values).rowcount:
        job = jobs.get((failure.clock, failure.job))
        slot = failure.slot(job) if job else None
        if job and slot:
            result = {
                **values,
                "run_id": failure.invocation_id,  # unique too, and the same if this is repeated
                "task": job["task"],
                "scheduled_at": slot,
                "slot_host": host if job["options"].get("per_host") else "",
                "trigger": "timer",
                "status": RunStatus.FAILED,
                "attempt": 0,
                "lag": (failure.started_at - slot).total_seconds(),
                "duration": max(0, (failure.ended_at - failure.started_at).total_seconds()) if failure.ended_at else 0,
            }
            known = connection.execute(_LATE, values | {"result": json.dumps(result, default=str)}).rowcount
    return bool(known)


def _close_dead_runs(
    connection: Connection, host: str, invocations: Callable[[Iterable[str]], Mapping[str, str | None]]
) -> tuple[LostRun, ...]:
    """Close rows of this host whose process is gone: it lost power, or the run's end was not recorded.

    The rows are read before systemd is asked: a run that ends in between has closed its row, and the update skips it.
    """
    rows = connection.execute(
        "SELECT run_id, attempt, clock, job, replace(invocation_id::text, '-', '') FROM task_run"
        " WHERE status = 'started' AND host = %s AND invocation_id IS NOT NULL AND clock IS NOT NULL"
        " AND job IS NOT NULL",
        [host],
    ).fetchall()
    units = {(clock, job): f"clock-{clock}-{job}.service" for _, _, clock, job, _ in rows}
    running = invocations(sorted(set(units.values()))) if rows else {}
    lost: list[LostRun] = []
    for run_id, attempt, clock, job, invocation in rows:
        if running.get(units[clock, job], "") in {invocation, None}:
            continue
        # The claim of an idempotent task expires at once, so that any host can take its slot over.
        row = connection.execute(
            "UPDATE task_run SET expires_at = least(expires_at, clock_timestamp()),"
            " status = CASE WHEN is_idempotent AND slot_host IS NOT NULL THEN status ELSE 'lost' END,"
            " ended_at = CASE WHEN is_idempotent AND slot_host IS NOT NULL THEN NULL ELSE clock_timestamp() END,"
            " reason = 'its process is gone, and how it ended is unknown'"
            # A task that has locked its row in an open transaction must not delay this.
            " WHERE run_id = (SELECT run_id FROM task_run WHERE run_id = %s AND attempt = %s AND status = 'started'"
            "  AND expires_at > clock_timestamp() FOR UPDATE SKIP LOCKED)"
            " RETURNING clock, job, scheduled_at, slot_host, host, status",
            [run_id, attempt],
        ).fetchone()
        if row and row[-1] == RunStatus.LOST:
            lost.append(LostRun(*row[:-1]))
    return tuple(lost)


def close_expired_runs(connection: Connection) -> tuple[LostRun, ...]:
    """Record runs of any host that have expired as lost, except those that can be taken over."""
    rows = connection.execute(
        "UPDATE task_run SET status = 'lost', ended_at = clock_timestamp(),"
        " reason = coalesce(reason, 'it expired, and its host has not reported how it ended')"
        " WHERE run_id = ANY (ARRAY(SELECT run_id FROM task_run WHERE status = 'started'"
        "  AND expires_at < clock_timestamp() AND (slot_host IS NULL OR NOT is_idempotent) FOR UPDATE SKIP LOCKED))"
        " RETURNING clock, job, scheduled_at, slot_host, host"
    ).fetchall()
    return tuple(LostRun(*row) for row in rows)


def _to_take_over(connection: Connection) -> Iterable[LostRun]:
    rows = connection.execute(
        "SELECT clock, job, scheduled_at, slot_host, host FROM task_run"
        " WHERE status = 'started' AND expires_at < clock_timestamp() AND scheduled_at < clock_timestamp()"
        " AND is_idempotent AND slot_host IS NOT NULL ORDER BY scheduled_at"
    ).fetchall()
    return (LostRun(*row) for row in rows)
