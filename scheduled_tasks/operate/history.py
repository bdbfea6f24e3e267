"""Queries of past runs and slots, with every attempt at them, fast even with ten million rows of `task_run`.

Each query walks an index in its order: `task_run_started_at` for all runs, `task_run_status_started_at` for those that
did not end well, `task_run_clock_job_started_at` once per job of a clock. A page begins where the last one ended: no
query counts or skips rows. A slot that no host ran is sorted by its nominal time.
A slot's row in `task_run` is its last attempt; `past_attempt` has the earlier ones.
"""

from __future__ import annotations

from datetime import datetime
from string import hexdigits
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from scheduled_tasks.errors import UsageError
from scheduled_tasks.operate.status import RESULT_AT

if TYPE_CHECKING:
    from psycopg import sql

    from scheduled_tasks.operate.slots import Slot
    from scheduled_tasks.run.database import Connection

MIN_ID_LENGTH = 4  # characters of a run's ID that `clocks show` needs


class RunRow(NamedTuple):
    """A row of `task_run` or `past_attempt`: a run, or a slot that no host ran.

    `replaced_at` is when a later attempt at the slot replaced it; None for the last one.
    """

    run_id: UUID
    clock: str | None
    job: str | None
    task: str
    scheduled_at: datetime | None
    slot_host: str | None
    host: str
    trigger: str
    status: str
    attempt: int
    started_at: datetime
    ended_at: datetime | None
    duration: float | None
    lag: float | None
    exit_code: int | None
    reason: str | None
    error_type: str | None
    error_message: str | None
    invocation_id: UUID | None
    release: str | None
    memory_peak: int | None
    cpu_seconds: float | None
    expires_at: datetime | None
    traceparent: str | None
    replaced_at: datetime | None

    @property
    def name(self) -> str:
        """`CLOCK/JOB`, or the task of a run by hand."""
        return f"{self.clock}/{self.job}" if self.clock else self.task

    @property
    def why(self) -> str:
        """Why it did not succeed: its reason, or its error."""
        why = self.reason or ": ".join(filter(None, (self.error_type, self.error_message)))
        return " ".join(filter(None, (f"(attempt {self.attempt}, replaced)" if self.replaced_at else "", why)))


def _attempts(query: str, **values: sql.Composable) -> sql.Composed:
    """A query of `{attempts}`, for each of the two tables, as one."""
    from psycopg import sql  # every command imports this module, and most need no database

    columns = sql.SQL(", ").join(map(sql.Identifier, RunRow._fields[:-1]))
    tables = (
        sql.SQL("SELECT {}, NULL::timestamptz AS replaced_at FROM task_run").format(columns),
        sql.SQL("SELECT {}, replaced_at FROM past_attempt").format(columns),
    )
    parts = [sql.SQL("({})").format(sql.SQL(query).format(attempts=table, **values)) for table in tables]
    return sql.SQL(" UNION ALL ").join(parts)


def history(  # noqa: PLR0913 - the filters
    connection: Connection,
    *,
    clock: str = "",
    job: str = "",
    status: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: RunRow | None = None,
    limit: int = 50,
) -> list[RunRow]:
    """The last runs and slots, with all attempts, newest first; only those after `before` in this order."""
    from psycopg import sql

    where: list[sql.Composable] = [sql.SQL("true")]
    if status:
        # As a literal, so that the planner sees that a partial index suffices.
        where.append(sql.SQL("status = {}").format(sql.Literal(status)))
    if since:
        where.append(sql.SQL("started_at >= {}").format(sql.Literal(since)))
    if until:
        where.append(sql.SQL("started_at <= {}").format(sql.Literal(until)))
    if before:
        key = map(sql.Literal, (before.started_at, before.started_at, before.run_id, before.attempt))
        where.append(sql.SQL("started_at <= {} AND (started_at, run_id, attempt) < ({}, {}, {})").format(*key))
    condition = sql.SQL(" AND ").join(where)
    order = "ORDER BY started_at DESC, run_id DESC, attempt DESC LIMIT {}"
    last = sql.SQL(order).format(sql.Literal(limit))
    if not clock:
        found = _attempts("{attempts} WHERE {condition} {last}", condition=condition, last=last)
    else:
        found = _attempts(
            "SELECT run.* FROM ({jobs}) AS wanted (job) CROSS JOIN LATERAL ({attempts}"
            " WHERE clock = {clock} AND job = wanted.job AND {condition} {last}) AS run {last}",
            condition=condition,
            last=last,
            clock=sql.Literal(clock),
            jobs=_jobs_of(clock, job),
        )
    rows = connection.execute(sql.SQL("{} {}").format(found, last))
    return [RunRow(*row) for row in rows]


def known_jobs(connection: Connection) -> set[tuple[str, str]]:
    """(clock, job) of every job that ever ran or was deployed: one index lookup for each."""
    rows = connection.execute(
        "WITH RECURSIVE name AS ((SELECT clock, job FROM task_run WHERE clock IS NOT NULL AND job IS NOT NULL"
        " ORDER BY clock, job LIMIT 1) UNION ALL SELECT next.clock, next.job FROM name CROSS JOIN LATERAL"
        " (SELECT clock, job FROM task_run WHERE (clock, job) > (name.clock, name.job) ORDER BY clock, job LIMIT 1)"
        " AS next) SELECT clock, job FROM name UNION SELECT clock, job FROM deployed_job"
    )
    return {(clock, job) for clock, job in rows}


def _jobs_of(clock: str, job: str) -> sql.Composable:
    """The names of a clock's jobs that ever ran, with one index lookup each (a loose index scan)."""
    from psycopg import sql

    if job:
        return sql.SQL("SELECT {}::text").format(sql.Literal(job))
    return sql.SQL(
        "WITH RECURSIVE name AS ((SELECT job FROM task_run WHERE clock = {clock} ORDER BY job LIMIT 1) UNION ALL"
        " SELECT (SELECT job FROM task_run WHERE clock = {clock} AND job > name.job ORDER BY job LIMIT 1)"
        " FROM name WHERE name.job IS NOT NULL) SELECT job FROM name WHERE job IS NOT NULL"
    ).format(clock=sql.Literal(clock))


def find_run(connection: Connection, named: str) -> RunRow:
    """A run by its ID or the first characters of it: its last attempt.

    Raises:
        UsageError: no run, or more than one, has such an ID.
    """
    digits = named.replace("-", "").lower()
    if len(digits) < MIN_ID_LENGTH or set(digits) - set(hexdigits) or len(digits) > 32:  # noqa: PLR2004 - a UUID's
        raise UsageError(
            f"{named!r} is not the ID of a run: take it from 'clocks history', at least {MIN_ID_LENGTH} characters"
        )
    between = {"first": UUID(digits.ljust(32, "0")), "last": UUID(digits.ljust(32, "f"))}
    query = _attempts("{attempts} WHERE run_id BETWEEN %(first)s AND %(last)s ORDER BY run_id LIMIT 100")
    runs = [RunRow(*row) for row in connection.execute(query, between)]
    if len({run.run_id for run in runs}) != 1:
        raise UsageError(f"{'several runs begin' if runs else 'no run begins'} with {named}; see 'clocks history'")
    return max(runs, key=_by_attempt)


def _by_attempt(run: RunRow) -> tuple[bool, datetime]:
    """The order of the attempts at a slot."""
    return run.replaced_at is None, run.replaced_at or run.started_at


def get_run(connection: Connection, run_id: UUID) -> RunRow | None:
    """A run by its ID: its last attempt; None if it is too old."""
    query = _attempts("{attempts} WHERE run_id = %(run_id)s")
    runs = [RunRow(*row) for row in connection.execute(query, {"run_id": run_id})]
    return max(runs, key=_by_attempt, default=None)


def last_good(connection: Connection, clock: str, job: str, host: str, before: datetime) -> RunRow | None:
    """The last run of a job that ended well before an instant; with `host`, on this host."""
    from psycopg import sql

    columns = sql.SQL(", ").join(map(sql.Identifier, RunRow._fields[:-1]))
    query = sql.SQL(
        "SELECT {}, NULL::timestamptz FROM task_run WHERE clock = %(clock)s AND job = %(job)s AND status = 'ended'"
        " AND (%(host)s = '' OR coalesce(nullif(slot_host, ''), host) = %(host)s)"
        " AND {at} <= %(before)s ORDER BY {at} DESC LIMIT 1"
    ).format(columns, at=sql.SQL(RESULT_AT))
    row = connection.execute(query, {"clock": clock, "job": job, "host": host, "before": before}).fetchone()
    return RunRow(*row) if row else None


def find_attempt(connection: Connection, named: str) -> RunRow:
    """An attempt by its run's ID and its number, as in `3f2a8c91.2`; the last attempt without a number.

    Raises:
        UsageError: no run has an ID that begins so, or several have.
    """
    run_id, _, number = named.partition(".")
    run = find_run(connection, run_id)
    if not number:
        return run
    for row in attempts(connection, run):
        if (row.run_id, str(row.attempt)) == (run.run_id, number):
            return row
    raise UsageError(f"the run {run_id} has no attempt {number}; see 'clocks show {run_id}'")


def attempts(connection: Connection, run: RunRow) -> list[RunRow]:
    """All attempts at a run's slot, or of a run without a slot, the first one first."""
    query = _attempts(
        "{attempts} WHERE clock = %(clock)s AND job = %(job)s AND scheduled_at = %(scheduled_at)s"
        " AND slot_host = %(slot_host)s AND slot_host IS NOT NULL"
        if run.slot_host is not None
        else "{attempts} WHERE run_id = %(run_id)s"
    )
    runs = [RunRow(*row) for row in connection.execute(query, run._asdict())]
    return sorted(runs, key=lambda row: (row.replaced_at is None, row.replaced_at or row.started_at))


def statuses_of_slots(connection: Connection, first: Slot, last: datetime) -> dict[datetime, str]:
    """The statuses of a job's slots, by nominal time, from a first slot up to and including an instant."""
    rows = connection.execute(
        "SELECT scheduled_at, status FROM task_run WHERE clock = %s AND job = %s AND slot_host = %s"
        " AND slot_host IS NOT NULL AND scheduled_at BETWEEN %s AND %s",
        [first.clock, first.job, first.host, first.at, last],
    )
    return dict(rows.fetchall())
