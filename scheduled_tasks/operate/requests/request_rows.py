"""The rows of `request`: ask for something, take what this host has to do, and record what became of it.

A request waits until a host takes it or it expires, whichever comes first. It then belongs to that host, whose watch
works on it under a lease (`taken_until`): if the watch is killed, its next pass continues. Two watches never work on
one request, and a request's run is started once: it has an ID from the start, by which the ledger is asked whether it
ran. Why rows and no command line: docs/decisions/0038-requests.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from scheduled_tasks.errors import UsageError
from scheduled_tasks.operate.requests.acting import act

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

Kind = Literal["run", "stop", "backfill", "log"]
Outcome = Literal["done", "refused", "failed", "expired"]
LEASE = 30  # seconds for which a host's watch works on a request before another pass may
DEAD_AFTER = 600  # seconds after the lease of a host without a heartbeat: what it took is given up


@dataclass(frozen=True)
class Ask:
    """What somebody asks.

    Attributes:
        kind: `run` a job, `stop` a run, `backfill` a job, or store the `log` lines of a run.
        clock, job: the job.
        reason: why, for colleagues.
        host: which host is asked; None for any that has the job. Of `stop` and `log`, it is the run's.
        slot: the slot to run, None for a run by hand; the first one of a backfill.
        until_slot: the last slot of a backfill, inclusive.
        run_id: the run to stop, or whose lines are wanted.
        is_forced: run even if the job is paused.
    """

    kind: Kind
    clock: str
    job: str
    reason: str
    host: str | None = None
    slot: datetime | None = None
    until_slot: datetime | None = None
    run_id: UUID | None = None
    is_forced: bool = False


@dataclass(frozen=True)
class Request:
    """A row: what was asked, and what has become of it.

    Attributes:
        id, kind, clock, job, host, slot, until_slot, is_forced, reason: what was asked; see `Ask`.
        run_id: of `run` the run that it becomes, which has a row once it has started; of a backfill the current one.
        asked_by, asked_at: who asked, and when.
        expires_at: when it expires unless a host has taken it.
        taken_by, taken_at: the host that has taken it.
        started_at: when the job's service was started for `run_id`.
        at_slot: of a backfill, the slot of `run_id`.
        ran, total: of a backfill, how many slots it has run and how many there were to run.
        outcome: how it ended; None while it waits or a host works on it.
        why: why it was refused, failed or expired.
        finished_at: when.
    """

    id: int
    kind: Kind
    clock: str
    job: str
    host: str | None
    slot: datetime | None
    until_slot: datetime | None
    is_forced: bool
    reason: str
    run_id: UUID | None
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    taken_by: str | None
    taken_at: datetime | None
    started_at: datetime | None
    at_slot: datetime | None
    ran: int
    total: int | None
    outcome: Outcome | None
    why: str | None
    finished_at: datetime | None

    @property
    def name(self) -> str:
        """`CLOCK/JOB`."""
        return f"{self.clock}/{self.job}"


_HAS_EXPIRED = "(outcome IS NULL AND taken_by IS NULL AND expires_at <= clock_timestamp())"
# Nobody may be there to write that a request has expired, so it is computed wherever one is read.
_WHY_EXPIRED = """
    CASE WHEN request.host IS NULL THEN 'no host that has the job took it within 5 min'
         ELSE request.host || ' did not take it within 5 min: ' || coalesce((
            SELECT 'its last heartbeat was at '
                   || to_char(heartbeat_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
              FROM host WHERE name = request.host), 'it has no watch') END
"""
_COMPUTED = {
    "outcome": f"CASE WHEN {_HAS_EXPIRED} THEN 'expired' ELSE outcome END",
    "why": f"CASE WHEN {_HAS_EXPIRED} THEN {_WHY_EXPIRED} ELSE why END",
    "finished_at": f"CASE WHEN {_HAS_EXPIRED} THEN expires_at ELSE finished_at END",
}
_COLUMNS = [field.name for field in fields(Request)]
_SELECT = f"SELECT {', '.join(_COMPUTED.get(name, name) for name in _COLUMNS)} FROM request"  # noqa: S608 - our own text


def ask(connection: Connection, wanted: Ask, *, by: str) -> int:
    """Ask for something; return the request's number. What waits already with the same words is not asked twice.

    Raises:
        UsageError: it can't be asked: no host has the job, the host is a cluster, or its slot is not due yet.
    """
    from psycopg import errors

    if "/" in (wanted.host or ""):  # CLUSTER/NAMESPACE
        raise UsageError(f"{wanted.host} is a cluster, where nothing can start a unit: use kubectl")
    try:
        number = act(
            connection, "ask_request", wanted.kind, wanted.clock, wanted.job, wanted.host, wanted.slot,
            wanted.until_slot, wanted.run_id, wanted.is_forced, by, wanted.reason,
        )  # fmt: skip
    except errors.RaiseException as error:
        raise UsageError(str(error.diag.message_primary)) from None
    return int(number)


def find(connection: Connection, number: int) -> Request:
    """One request.

    Raises:
        UsageError: there is none with this number.
    """
    row = connection.execute(f"{_SELECT} WHERE id = %s", [number]).fetchone()
    if row is None:
        raise UsageError(f"there is no request {number}: see 'clocks requests'")
    return Request(*row)


def recent(connection: Connection, clock: str = "", job: str = "", *, limit: int = 50) -> list[Request]:
    """The last requests, newest first: of all, of a clock or of one job."""
    rows = connection.execute(
        f"{_SELECT} WHERE (%(clock)s = '' OR clock = %(clock)s) AND (%(job)s = '' OR job = %(job)s)"
        " ORDER BY asked_at DESC, id DESC LIMIT %(limit)s",
        {"clock": clock, "job": job, "limit": limit},
    )
    return [Request(*row) for row in rows]


_TAKE = f"""
WITH free AS (
    SELECT id FROM request
     WHERE outcome IS NULL AND id <> ALL (%(seen)s)
       AND ((taken_by IS NULL AND expires_at > clock_timestamp()
             AND (host = %(host)s OR (host IS NULL AND (clock, job) IN (
                     SELECT * FROM unnest(%(clocks)s::text[], %(jobs)s::text[])))))
            OR (taken_by = %(host)s AND taken_until <= clock_timestamp()))
     ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE request SET taken_by = %(host)s, taken_at = coalesce(taken_at, clock_timestamp()),
                   taken_until = clock_timestamp() + make_interval(secs => {LEASE})
  FROM free WHERE request.id = free.id
RETURNING {", ".join(f"request.{name}" for name in _COLUMNS)}
"""  # noqa: S608 - our own text


def take(
    connection: Connection, host: str, here: Collection[tuple[str, str]], seen: Collection[int] = ()
) -> Request | None:
    """Take the oldest request that a host has to work on, under a lease; None if there is none.

    Args:
        connection: on which each statement is a transaction of its own.
        host: the host.
        here: (clock, job) of each job that it has.
        seen: the requests that this pass of its watch has worked on.
    """
    clocks, jobs = ([pair[index] for pair in here] for index in (0, 1))
    values = {"host": host, "clocks": clocks, "jobs": jobs, "seen": list(seen)}
    row = connection.execute(_TAKE, values).fetchone()
    return Request(*row) if row else None


def leave(connection: Connection, request: Request) -> None:
    """End the lease: the next pass continues with the request."""
    connection.execute(
        "UPDATE request SET taken_until = clock_timestamp() WHERE id = %s AND outcome IS NULL", [request.id]
    )


def finish(connection: Connection, request: Request, outcome: Outcome, why: str = "") -> None:
    """Record what became of a request."""
    connection.execute(
        "UPDATE request SET outcome = %s, why = nullif(left(%s, 4000), ''), finished_at = clock_timestamp()"
        " WHERE id = %s AND outcome IS NULL",
        [outcome, why, request.id],
    )


def record_start(connection: Connection, request: Request) -> None:
    """Record that the job's service was started for the request's run, and renew the lease."""
    connection.execute(
        f"UPDATE request SET started_at = clock_timestamp(), taken_until = clock_timestamp() + interval '{LEASE} s'"  # noqa: S608 - our own text
        " WHERE id = %s AND outcome IS NULL",
        [request.id],
    )


def next_slot(connection: Connection, request: Request, slot: datetime, total: int, *, ran: int) -> Request:
    """Choose the run of a backfill's next slot, before it is started, and renew the lease."""
    row = connection.execute(
        "UPDATE request SET run_id = gen_random_uuid(), started_at = NULL, at_slot = %s, total = coalesce(total, %s),"  # noqa: S608 - our own text
        f" ran = %s, taken_until = clock_timestamp() + interval '{LEASE} s' WHERE id = %s"
        f" RETURNING {', '.join(_COLUMNS)}",
        [slot, total, ran, request.id],
    ).fetchone()
    assert row is not None  # noqa: S101 - a row that this host has taken is not deleted
    return Request(*row)


def rename_host(connection: Connection, old: str, new: str) -> None:
    """Move what is open to a machine's new name."""
    connection.execute(
        "UPDATE request SET host = CASE host WHEN %(old)s THEN %(new)s ELSE host END,"
        " taken_by = CASE taken_by WHEN %(old)s THEN %(new)s ELSE taken_by END"
        " WHERE outcome IS NULL AND %(old)s IN (host, taken_by)",
        {"old": old, "new": new},
    )


def count(connection: Connection, request: Request, *, ran: int, total: int) -> None:
    """Record how many slots a backfill has run, and how many there were to run."""
    connection.execute("UPDATE request SET ran = %s, total = %s WHERE id = %s", [ran, total, request.id])


def expire(connection: Connection) -> int:
    """Record which requests have expired, and give up those of hosts that died with them; return how many."""
    expired = connection.execute(
        f"UPDATE request SET outcome = 'expired', finished_at = expires_at, why = {_WHY_EXPIRED} WHERE {_HAS_EXPIRED}"  # noqa: S608 - our own text
    ).rowcount
    given_up = connection.execute(
        "UPDATE request SET finished_at = clock_timestamp(),"  # noqa: S608 - our own text
        " outcome = CASE WHEN kind = 'run' AND run.found THEN 'done' ELSE 'failed' END,"
        " why = CASE WHEN kind = 'run' AND run.found THEN NULL"
        "            ELSE taken_by || ' took it and has had no heartbeat since: what became of it is unknown' END"
        " FROM (SELECT id AS of, EXISTS (SELECT FROM task_run WHERE task_run.run_id = request.run_id) AS found"
        "         FROM request WHERE outcome IS NULL) AS run"
        f" WHERE id = run.of AND outcome IS NULL AND taken_until < clock_timestamp() - interval '{DEAD_AFTER} s'"
        "   AND NOT EXISTS (SELECT FROM host WHERE name = taken_by AND heartbeat_at > taken_until)"
    ).rowcount
    return int(expired) + int(given_up)


def statuses(connection: Connection, run_ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """Of some runs, by ID, the status and why it did not end well; of none that has not started."""
    rows = connection.execute(
        "SELECT run_id, status, coalesce(reason, error_message, '') FROM task_run WHERE run_id = ANY (%(ids)s)"
        " UNION SELECT run_id, status, coalesce(reason, error_message, '') FROM past_attempt AS past"
        "  WHERE run_id = ANY (%(ids)s) AND NOT EXISTS (SELECT FROM task_run WHERE task_run.run_id = past.run_id)",
        {"ids": list(run_ids)},
    )
    return {run_id: (status, why) for run_id, status, why in rows}
