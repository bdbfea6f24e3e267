"""Pauses in the database: of a job, a clock or all clocks, on one host or on all.

run-task reads them in its one statement; the watch reads which ones were in force when. A pause ends when it is resumed
or at its `until`, whichever comes first; a deploy never ends one. Times come from the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.verdicts import Pause

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

STOPPED = "systemctl"  # by whom a job is paused whose timer somebody has stopped
# A host's own pause (it has a local_id) ends when the watch removes its file, after `until`; a dead host's at `until`.
_END = "CASE WHEN local_id IS NULL THEN least(resumed_at, until) ELSE coalesce(resumed_at, until) END"


class Scope(NamedTuple):
    """What is paused: a job, a clock (`job` None) or all (`clock` None), on a host or on all (`host` None)."""

    clock: str | None = None
    job: str | None = None
    host: str | None = None

    def __str__(self) -> str:
        what = "all clocks" if self.clock is None else f"{self.clock}/{self.job}" if self.job else self.clock
        return f"{what} on {self.host}" if self.host else what


@dataclass(frozen=True)
class PauseRow:
    """A pause as an operator sees it."""

    scope: Scope
    at: datetime
    by: str
    reason: str
    until: datetime | None
    resumed_at: datetime | None = None
    resumed_by: str | None = None
    local_id: str | None = None

    def __str__(self) -> str:
        until = f" until {self.until:%Y-%m-%dT%H:%M:%SZ}" if self.until else ""
        return f"{self.scope} since {self.at:%Y-%m-%dT%H:%M:%SZ}{until} by {self.by}: {self.reason}"

    def holds(self, clock: str, job: str, host: str | None = None) -> bool:
        """Whether a job is paused by it; without `host` only where it is for all hosts."""
        scope = self.scope
        return scope.clock in {None, clock} and scope.job in {None, job} and scope.host in {None, host}


_COLUMNS = "clock, job, host, paused_at, paused_by, reason, until, resumed_at, resumed_by, local_id"
_SAME = (
    "clock IS NOT DISTINCT FROM %(clock)s AND job IS NOT DISTINCT FROM %(job)s AND host IS NOT DISTINCT FROM %(host)s"
)


def pause(connection: Connection, row: PauseRow) -> bool:
    """Pauses; False where the same is paused already, which is left as it is."""
    with connection.transaction():
        connection.execute("LOCK TABLE pause IN SHARE ROW EXCLUSIVE MODE")  # two at once would both find none
        values = {**row.scope._asdict(), "at": row.at}
        held = connection.execute(
            f"SELECT FROM pause WHERE {_SAME} AND resumed_at IS NULL AND (until IS NULL OR until > %(at)s)",
            values,
        ).fetchone()
        if held is not None:
            return False
        _insert(connection, row)
    return True


def resume(connection: Connection, scope: Scope, *, by: str, at: datetime) -> int:
    """Ends the pauses of just this scope; how many there were."""
    return connection.execute(
        f"UPDATE pause SET resumed_at = greatest(paused_at, %(at)s), resumed_by = %(by)s WHERE {_SAME}"  # noqa: S608 - our own text
        " AND resumed_at IS NULL AND (until IS NULL OR until > %(at)s)",
        {**scope._asdict(), "at": at, "by": by},
    ).rowcount


def tell_pauses(connection: Connection, rows: Iterable[PauseRow]) -> None:
    """Writes the pauses that a host keeps itself, known by their `local_id`; told again, nothing changes.

    What was missed since it began, or called paused since it ended, is judged again.
    """
    for row in rows:
        with connection.transaction():
            known = connection.execute("SELECT resumed_at FROM pause WHERE local_id = %s", [row.local_id]).fetchone()
            _insert(connection, row)
            if known is None:
                deployments.reopen(connection, row.scope.clock, row.scope.job, row.at)
            elif known[0] is None and row.resumed_at:
                deployments.reopen(connection, row.scope.clock, row.scope.job, row.resumed_at, paused=True)


def end_gone(connection: Connection, host: str, local_ids: Iterable[str], at: datetime) -> int:
    """Ends the pauses that a host kept itself and keeps no longer: the file is gone, the timer runs again."""
    return connection.execute(
        "UPDATE pause SET resumed_at = greatest(paused_at, %(at)s), resumed_by = paused_by WHERE host = %(host)s"
        " AND resumed_at IS NULL AND local_id IS NOT NULL AND local_id <> ALL (%(kept)s)",
        {"host": host, "at": at, "kept": list(local_ids)},
    ).rowcount


def in_force(connection: Connection, now: datetime) -> list[PauseRow]:
    """The pauses that hold at an instant, the widest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM pause WHERE {_END} IS NULL OR {_END} > %s"  # noqa: S608 - our own text
        " ORDER BY clock NULLS FIRST, job NULLS FIRST, host NULLS FIRST, paused_at",
        [now],
    )
    return [_row(*row) for row in rows]


def ended_between(connection: Connection, after: datetime, until: datetime) -> list[PauseRow]:
    """The pauses that ended after an instant, up to and with another."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM pause WHERE {_END} > %s AND {_END} <= %s",  # noqa: S608 - our own text
        [after, until],
    )
    return [_row(*row) for row in rows]


def since(connection: Connection, instant: datetime) -> list[Pause]:
    """The pauses that held at any time after an instant, for the judgement of slots."""
    rows = connection.execute(
        f"SELECT clock, job, host, paused_at, {_END}, paused_by, reason FROM pause"  # noqa: S608 - our own text
        f" WHERE {_END} IS NULL OR {_END} > %s ORDER BY id",
        [instant],
    )
    return [Pause(*row) for row in rows]


def _insert(connection: Connection, row: PauseRow) -> None:
    connection.execute(
        f"INSERT INTO pause ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"  # noqa: S608 - our own text
        " ON CONFLICT (local_id) DO UPDATE SET until = excluded.until,"
        " resumed_at = coalesce(pause.resumed_at, excluded.resumed_at),"
        " resumed_by = coalesce(pause.resumed_by, excluded.resumed_by)",
        [*row.scope, row.at, row.by, row.reason, row.until, row.resumed_at, row.resumed_by, row.local_id],
    )


def _row(  # noqa: PLR0913, PLR0917 - the table's columns
    clock: str | None,
    job: str | None,
    host: str | None,
    at: datetime,
    by: str,
    reason: str,
    until: datetime | None,
    resumed_at: datetime | None,
    resumed_by: str | None,
    local_id: str | None,
) -> PauseRow:
    return PauseRow(Scope(clock, job, host), at, by, reason, until, resumed_at, resumed_by, local_id)
