"""Let one sender of all hosts at a time work on a table."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduled_tasks.run.database import Connection


@contextmanager
def one_at_a_time(connection: Connection, table: str) -> Iterator[bool]:
    """Whether no other sender works on the table; none can until the block ends, or this session does."""
    lock = sql.SQL("({}::regclass::oid::bigint)").format(table)
    [(is_ours,)] = connection.execute(sql.SQL("SELECT pg_try_advisory_lock{}").format(lock)).fetchall()
    try:
        yield is_ours
    finally:
        if is_ours:
            connection.execute(sql.SQL("SELECT pg_advisory_unlock{}").format(lock))
