"""The worked example's application: a plain object that gives tasks the project's database.

It reads the setting `database_url` when a task first uses the connection. A run has one psycopg connection. Making the
application costs nothing, and this module imports neither psycopg nor an HTTP library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduled_tasks.run.database import Connection


class Application:
    """The `app` argument of the worked example's tasks."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The run's connection to the project's database, opened on first use.

        A task commits with `with app.connection.transaction():`; writes outside such a block are lost, with a warning.

        Raises ServiceUnavailableError if PostgreSQL can't be reached, ConfigurationError if no database is configured.
        """
        if self._connection is None or self._connection.closed:
            from scheduled_tasks.run import database

            self._connection = database.connect(database.database_url(), name="scheduled_tasks example")
            self._connection.autocommit = False
        return self._connection

    def uncommitted(self) -> Iterator[str]:
        """Describe uncommitted work that a task left, one phrase each; reads don't count."""
        if self._connection is None or self._connection.closed:
            return
        status = self._connection.info.transaction_status.name
        if status == "INERROR":
            yield "the connection to PostgreSQL is in a failed transaction"
        elif status == "INTRANS" and self._has_written(self._connection):
            yield "the connection to PostgreSQL is in a transaction"

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _has_written(connection: Connection) -> bool:
        [(written,)] = connection.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").fetchall()
        return bool(written)


def create_app() -> Application:
    """The application factory: `app` in the configuration."""
    return Application()
