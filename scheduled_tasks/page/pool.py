"""Connections of the page: a few for many readers. Their sessions can't write, and no statement takes long.

A form's action writes in a transaction of its own, which says so (`writing`).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from scheduled_tasks.errors import ServiceUnavailableError
from scheduled_tasks.run.database import CONNECT_TIMEOUT, BoundedInstant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduled_tasks.run.database import Connection

MAX_CONNECTIONS = 4
STATEMENT_TIMEOUT = "2s"  # of a screen's query: a person waits for it, and others wait for its connection
POOL_TIMEOUT = 5.0  # seconds for which a reader waits for a connection


class Database:
    """The page's database: `reading` for screens, `writing` for actions."""

    def __init__(self, url: str) -> None:
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            timeout=POOL_TIMEOUT,
            open=False,
            configure=_configure,
            kwargs={"autocommit": True, "connect_timeout": CONNECT_TIMEOUT, "application_name": "clocks page"},
        )

    def open(self) -> None:
        """Connect in the background; a request waits for the connection."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose statements can only read.

        Raises:
            ServiceUnavailableError: PostgreSQL is unreachable or busy.
        """
        try:
            with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise ServiceUnavailableError(f"PostgreSQL does not answer: {_first_line(error)}") from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction that can write, as far as its role can."""
        with self.reading() as connection, connection.transaction():
            connection.execute("SET TRANSACTION READ WRITE")
            yield connection


def _configure(connection: psycopg.Connection[Any]) -> None:
    connection.adapters.register_loader("timestamptz", BoundedInstant)
    connection.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    # Queries of a page read a few hundred rows: compiling them takes longer than running them.
    connection.execute("SET jit = off")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
