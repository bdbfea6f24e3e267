"""What runs couldn't write themselves is written: results that they kept on disk, how those ended that were killed.

In come a connection, this host's files and what its systemd says; out go completed rows of `task_run`, and the slots
that are to be taken over. Called by a job's failure (units/clock-failed@.service.j2) and by the watch, as often as one
likes: each step may be done twice. docs/explanation/ledger.md has the rules.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks import files
from scheduled_tasks.operate.failures import Failure, read_failure
from scheduled_tasks.run.columns import END, SLOT, START, listed, without
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scheduled_tasks.run.database import Connection


# What runs and the failure hook leave in the state folder.
KEPT = ("results/*/*.json", "failed/*.note")
MOST = 1 << 17  # bytes of a result: its texts are cut (record.MAX_MESSAGE), and JSON may need twelve for a character


class Lost(NamedTuple):
    """A run that was taken for dead, and its slot."""

    clock: str
    job: str
    scheduled_at: datetime
    slot_host: str
    host: str


@dataclass(frozen=True)
class Reconciled:
    """What was done: results written, failures told, runs lost, and slots that idempotent tasks may be given again."""

    results: int = 0
    failures: int = 0
    lost: tuple[Lost, ...] = ()
    to_take_over: tuple[Lost, ...] = ()


def reconcile(
    connection: Connection,
    state: Path,
    *,
    host: str,
    jobs: Iterable[Mapping[str, Any]] = (),
    invocations: Callable[[Iterable[str]], Mapping[str, str | None]] | None = None,
) -> Reconciled:
    """Writes what this host's runs left, and closes rows whose run can't be alive any more.

    Args:
        connection: on which each statement is a transaction of its own.
        state: the folder of what was left on disk: results/UNIT/*.json by run-task, failed/*.note by the failure hook.
        host: this host's name.
        jobs: the host's jobs as the set in force has them (jobs.json), for failures of runs that never began.
        invocations: for units, systemd's invocation of each that runs now, None for one that is about to be tried
            again; None where systemd isn't to be asked.
    """
    with _alone(state):
        by_name = {(job["clock"], job["job"]): job for job in jobs}
        results, failures = (sorted(state.glob(pattern)) for pattern in KEPT)
        told_results = sum(_write_result(connection, path, host) for path in results)
        told_failures = sum(_write_failure(connection, path, host, by_name) for path in failures)
    lost = _close_the_dead(connection, host, invocations) if invocations else ()
    lost += _close_the_expired(connection)
    return Reconciled(told_results, told_failures, lost, tuple(_to_take_over(connection)))


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Many failures at once start many of us; the lock goes with the process."""
    with (state / "reconcile.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_result(connection: Connection, path: Path, host: str) -> bool:
    """Completes the row of a run that kept its result, or writes the row of one that had none. True where it did."""
    import psycopg  # who has a connection has it; who starts `clocks` need not wait for it

    clock, job = path.parent.name.removeprefix("clock-").partition("-")[::2]
    kept = files.read(path, partial(_read_result, clock, job), MOST)
    if kept is None:
        return False
    statement = _COMPLETE if kept.get("is_open") else _LATE
    try:
        named = {"kept": json.dumps(kept), "host": host, "clock": clock, "job": job}
        written = connection.execute(statement, named).rowcount
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        files.quarantine(path, error)
        return False
    path.unlink(missing_ok=True)
    return bool(written)


def _read_result(clock: str, job: str, text: str) -> dict[str, Any]:
    kept = json.loads(text)
    if not isinstance(kept, dict) or (kept["clock"], kept["job"]) != (clock, job):
        raise ValueError("its folder is one unit's alone: what lies there speaks for that job only")
    return kept


# A job writes the file: that each value is of its type is PostgreSQL's to see.
_KEPT = without(START | END, "clock", "job", "host")  # for these its folder speaks, and this host
_RUN = f"""
kept AS (
    SELECT * FROM jsonb_to_record(%(kept)s::jsonb) AS kept ({listed(_KEPT, "{0} {1}")}, started_at timestamptz)
)
"""  # noqa: S608 - our own text

_COMPLETE = f"""
WITH {_RUN}
UPDATE task_run AS run
   SET {listed(without(END, "reason"), "{0} = kept.{0}")},
       ended_at = run.started_at + make_interval(secs => kept.duration),
       reason = coalesce(kept.reason, CASE WHEN run.status <> 'lost' THEN run.reason END)
  FROM kept
 WHERE run.run_id = kept.run_id AND run.attempt = kept.attempt AND run.clock = %(clock)s AND run.job = %(job)s
   AND run.status IN ('started', 'lost')
"""  # noqa: S608 - our own text

# A run whose slot has another's row adds nothing: what it found away was away for it alone.
_LATE = f"""
WITH {_RUN}
INSERT INTO task_run AS run (clock, job, host, started_at, ended_at, {listed(_KEPT)})
SELECT %(clock)s, %(job)s, %(host)s, started_at, started_at + make_interval(secs => duration), {listed(_KEPT)}
  FROM kept
ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO UPDATE
   SET started_at = excluded.started_at, ended_at = excluded.ended_at,
       {listed(without(START | END, *SLOT, "task"), "{0} = excluded.{0}")}
 WHERE run.status = 'missed' OR (run.attempt = 0 AND run.run_id <> excluded.run_id)
"""  # noqa: S608 - our own text


def _write_failure(
    connection: Connection, path: Path, host: str, jobs: Mapping[tuple[str, str], Mapping[str, Any]]
) -> bool:
    """Completes the row of a run that was killed, or writes one for a run that never came to be."""
    failure = files.read(path, read_failure)
    if failure is None:
        return False
    values = {**failure.row(), "host": host}
    # A result that the run wrote itself stays, but that a signal stopped it says less than who sent it.
    known = connection.execute(
        "UPDATE task_run SET status = 'failed', ended_at = coalesce(ended_at, %(ended_at)s, clock_timestamp()),"
        " duration = coalesce(duration, extract(epoch FROM coalesce(%(ended_at)s, clock_timestamp()) - started_at)),"
        " exit_code = coalesce(exit_code, %(exit_code)s), error_type = %(error_type)s,"
        " error_message = %(error_message)s, cpu_seconds = coalesce(cpu_seconds, %(cpu_seconds)s),"
        " memory_peak = coalesce(memory_peak, %(memory_peak)s), reason = CASE WHEN status <> 'lost' THEN reason END"
        " WHERE invocation_id = %(invocation_id)s AND host = %(host)s AND clock = %(clock)s AND job = %(job)s"
        " AND (status IN ('started', 'lost') OR (status = 'failed' AND error_type = 'Stopped' AND %(was_stopped)s))",
        values,
    ).rowcount
    if not known and not _has_row(connection, failure):
        job = jobs.get((failure.clock, failure.job))
        slot = failure.slot(job) if job else None
        if job and slot:
            kept = {
                **values,
                "run_id": failure.invocation_id,  # unique as well, and the same if this is done twice
                "task": job["task"],
                "scheduled_at": slot,
                "slot_host": host if job["options"].get("per_host") else "",
                "trigger": "timer",
                "status": RunStatus.FAILED,
                "attempt": 0,
                "lag": (failure.started_at - slot).total_seconds(),
                "duration": (failure.ended_at - failure.started_at).total_seconds() if failure.ended_at else 0,
            }
            known = connection.execute(_LATE, values | {"kept": json.dumps(kept, default=str)}).rowcount
    path.unlink()
    return bool(known)


def _has_row(connection: Connection, failure: Failure) -> bool:
    row = connection.execute("SELECT FROM task_run WHERE invocation_id = %s", [failure.invocation_id]).fetchone()
    return row is not None


def _close_the_dead(
    connection: Connection, host: str, invocations: Callable[[Iterable[str]], Mapping[str, str | None]]
) -> tuple[Lost, ...]:
    """Closes this host's rows whose process is gone: it lost power, or nobody was told how the run ended.

    Read first, then asked: a run that ends in between has its own word, which the update finds.
    """
    rows = connection.execute(
        "SELECT run_id, attempt, clock, job, replace(invocation_id::text, '-', '') FROM task_run"
        " WHERE status = 'started' AND host = %s AND invocation_id IS NOT NULL AND clock IS NOT NULL"
        " AND job IS NOT NULL",
        [host],
    ).fetchall()
    units = {(clock, job): f"clock-{clock}-{job}.service" for _, _, clock, job, _ in rows}
    running = invocations(sorted(set(units.values()))) if rows else {}
    lost: list[Lost] = []
    for run_id, attempt, clock, job, invocation in rows:
        if running.get(units[clock, job], "") in {invocation, None}:
            continue
        # Of an idempotent task the claim is over at once: whoever asks for the slot may have it.
        found = connection.execute(
            "UPDATE task_run SET expires_at = least(expires_at, clock_timestamp()),"
            " status = CASE WHEN is_idempotent AND slot_host IS NOT NULL THEN status ELSE 'lost' END,"
            " ended_at = CASE WHEN is_idempotent AND slot_host IS NOT NULL THEN NULL ELSE clock_timestamp() END,"
            " reason = 'its process is gone; how it ended is not known'"
            " WHERE run_id = %s AND attempt = %s AND status = 'started' AND expires_at > clock_timestamp()"
            " RETURNING clock, job, scheduled_at, slot_host, host, status",
            [run_id, attempt],
        ).fetchone()
        if found and found[-1] == RunStatus.LOST:
            lost.append(Lost(*found[:-1]))
    return tuple(lost)


def _close_the_expired(connection: Connection) -> tuple[Lost, ...]:
    """Runs of any host whose time is over are lost, but for those that may be taken over."""
    rows = connection.execute(
        "UPDATE task_run SET status = 'lost', ended_at = clock_timestamp(),"
        " reason = coalesce(reason, 'its time was over, and its host has not said how it ended')"
        " WHERE status = 'started' AND expires_at < clock_timestamp() AND (slot_host IS NULL OR NOT is_idempotent)"
        " RETURNING clock, job, scheduled_at, slot_host, host"
    ).fetchall()
    return tuple(Lost(*row) for row in rows)


def _to_take_over(connection: Connection) -> Iterable[Lost]:
    rows = connection.execute(
        "SELECT clock, job, scheduled_at, slot_host, host FROM task_run"
        " WHERE status = 'started' AND expires_at < clock_timestamp()"
        " AND is_idempotent AND slot_host IS NOT NULL ORDER BY scheduled_at"
    ).fetchall()
    return (Lost(*row) for row in rows)
