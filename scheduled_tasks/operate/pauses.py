"""Pauses in the database: of a job, a clock or all clocks, on one host or on all.

run-task reads them when it claims a slot; the watch reads which ones were active when. A pause ends when it is resumed
or at its `until`, whichever comes first; a deploy never ends one. The caller passes the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.requests.acting import act
from scheduled_tasks.operate.slots import Pause, Scope

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

STOPPED = "systemctl"  # `paused_by` of a job whose timer was stopped by hand
# The same rule as Pause.end.
_END = "CASE WHEN local_id IS NULL THEN least(resumed_at, until) ELSE coalesce(resumed_at, until) END"
_COLUMNS = "clock, job, host, paused_at, paused_by, reason, until, resumed_at, resumed_by, local_id"
_SELECT = f"SELECT {_COLUMNS} FROM pause WHERE "  # noqa: S608 - our own text


def pause(connection: Connection, new: Pause) -> bool:
    """Record a pause; False if the same scope is already paused, which stays as it is.

    Only who can write the table, which the page's role can't, can say another time than the present.
    """
    return bool(act(connection, "add_pause", *new.scope, new.at, new.until, new.by, new.reason))


def resume(connection: Connection, scope: Scope, *, by: str, at: datetime, reason: str | None = None) -> int:
    """End the pauses of exactly this scope; return how many there were."""
    return int(act(connection, "end_pause", *scope, at, by, reason))


def report(connection: Connection, pauses: Iterable[Pause]) -> None:
    """Record the pauses that a host keeps itself, identified by `local_id`. Repeating a report changes nothing.

    The watch decides again what became of slots recorded as missed after the start of a pause, or as paused after its
    end.
    """
    for new in pauses:
        with connection.transaction():
            known = connection.execute("SELECT resumed_at FROM pause WHERE local_id = %s", [new.local_id]).fetchone()
            _insert(connection, new)
            if known is None:
                deployments.reopen(connection, new.scope.clock, new.scope.job, new.at)
            elif known[0] is None and new.resumed_at:
                deployments.reopen(connection, new.scope.clock, new.scope.job, new.resumed_at, paused=True)


def end_unreported(connection: Connection, host: str, local_ids: Iterable[str], at: datetime) -> int:
    """End the pauses that a host no longer reports, because the file is gone or the timer runs again."""
    return connection.execute(
        "UPDATE pause SET resumed_at = greatest(paused_at, %(at)s), resumed_by = paused_by WHERE host = %(host)s"
        " AND resumed_at IS NULL AND local_id IS NOT NULL AND local_id <> ALL (%(reported)s)",
        {"host": host, "at": at, "reported": list(local_ids)},
    ).rowcount


def active(connection: Connection, now: datetime) -> list[Pause]:
    """The pauses that are active at an instant, the widest first."""
    order = " ORDER BY clock NULLS FIRST, job NULLS FIRST, host NULLS FIRST, paused_at"
    return _pauses(connection.execute(f"{_SELECT} {_END} IS NULL OR {_END} > %s {order}", [now]))


def ended_between(connection: Connection, after: datetime, until: datetime) -> list[Pause]:
    """The pauses that ended after one instant, up to and including another."""
    return _pauses(connection.execute(f"{_SELECT} {_END} > %s AND {_END} <= %s", [after, until]))


def active_since(connection: Connection, instant: datetime) -> list[Pause]:
    """The pauses that were active at any time after an instant, for verdicts."""
    return _pauses(connection.execute(f"{_SELECT} {_END} IS NULL OR {_END} > %s ORDER BY id", [instant]))


def _insert(connection: Connection, new: Pause) -> None:
    connection.execute(
        f"INSERT INTO pause ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"  # noqa: S608 - our own text
        " ON CONFLICT (local_id) DO UPDATE SET until = excluded.until,"
        " resumed_at = coalesce(pause.resumed_at, excluded.resumed_at),"
        " resumed_by = coalesce(pause.resumed_by, excluded.resumed_by)",
        [*new.scope, new.at, new.by, new.reason, new.until, new.resumed_at, new.resumed_by, new.local_id],
    )


def _pauses(rows: Iterable[tuple[Any, ...]]) -> list[Pause]:
    return [Pause(Scope(*row[:3]), *row[3:]) for row in rows]
