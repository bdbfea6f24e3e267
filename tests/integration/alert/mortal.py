"""A process that is killed between two of its statements, played by its connection."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg

from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from tests.integration.alert.simulation import Database


class Killed(Exception):  # noqa: N818 - not an error
    """A process was killed."""


class Mortal:
    """A connection of a process that is killed before or after one of its statements."""

    def __init__(self, connection: Database, statement: int, *, after: bool) -> None:
        self.connection, self.left, self.after = connection, statement, after

    def execute(self, *arguments: Any, **options: Any) -> Any:
        """Execute a statement, unless the process is killed."""
        self.left -= 1
        if self.left == 0 and not self.after:
            self._die()
        done = self.connection.execute(*arguments, **options)
        if self.left == 0:
            self._die()
        return done

    def _die(self) -> None:
        info = self.connection.info
        address, session = info.dsn, info.backend_pid
        self.connection.close()
        # The server rolls back when it sees that; until then others leave out what is locked, and try it later.
        with closing(psycopg.connect(address, autocommit=True)) as other:
            gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
            wait_for("the session's end", lambda: other.execute(gone, [session]).fetchone() == (True,))
        raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)
