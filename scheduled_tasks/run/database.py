"""The run's one connection to PostgreSQL: opened when it is first needed, kept until the process ends.

Only this module of run/ imports psycopg. In a project that is not deployed and has no `database_url`, the embedded
server and its tables are set up on first use, by `clocks setup` in a process of its own, so that none of its code is
imported here.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg
from psycopg.types.datetime import TimestamptzLoader

from scheduled_tasks.errors import ConfigurationError, ServiceUnavailableError
from scheduled_tasks.instants import EARLIEST, LATEST
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg.abc import Buffer

CONNECT_TIMEOUT = 10  # seconds; a database that takes longer is unreachable
ANSWER_TIMEOUT = 20.0  # seconds; our statements take milliseconds, and a stopped (SIGSTOP) server keeps its connections
NOT_A_URL = "DATABASE_URL is not a PostgreSQL connection string or URI"
ANSWER_MARGIN = 1.0  # seconds for the commit and the answer's way
EMBEDDED_URL_FILE = "database_url"  # in the state directory: the URL of the embedded PostgreSQL

Connection = psycopg.Connection[tuple[Any, ...]]

_connection: Connection | None = None
_connected_at = 0.0


class SchemaMissingError(ConfigurationError):
    """The database lacks the project's tables: run `clocks migrate`, then `clocks features sync`."""


def database_url() -> str:
    """The URL of PostgreSQL: the setting `database_url`, otherwise an undeployed project's embedded server.

    Raises:
        ConfigurationError: a deployed configuration or a service without the setting, or with one for root only.
    """
    try:
        if url := settings.setting("database_url", ""):
            return url
    except PermissionError as error:
        instead = "run this as root, or set DATABASE_URL to a URL of your own"
        raise ConfigurationError(f"{error.filename}: permission denied: {instead}") from None
    configuration = settings.load()
    if not configuration.sets_up:
        raise ConfigurationError(
            "no database is configured: give the service a credential database_url, or set DATABASE_URL"
        )
    file = configuration.state_directory / EMBEDDED_URL_FILE
    if not file.is_file():
        set_up()
    return file.read_text().strip()


class BoundedInstant(TimestamptzLoader):
    """Read an instant outside the ledger's bounds as the nearest bound.

    PostgreSQL has instants that Python can't read, such as infinity, or can't compute with. The tables refuse them, but
    if a row has one anyway, it must not stop a reader of all rows.
    """

    def load(self, data: Buffer) -> datetime:
        """Read PostgreSQL's text: its usual form by a shorter way than any other."""
        try:
            return min(max(datetime.fromisoformat(str(data, "ascii")), EARLIEST), LATEST)
        except ValueError:
            pass
        try:
            return min(max(super().load(data), EARLIEST), LATEST)
        except psycopg.DataError:
            text = bytes(data)
            return EARLIEST if text.startswith(b"-") or text.endswith(b"BC") else LATEST


def connect(url: str, *, name: str) -> Connection:
    """Open a connection on which each statement is a transaction of its own.

    Args:
        url: a libpq connection string or URI.
        name: shown in `pg_stat_activity` as `application_name`.

    Raises:
        ServiceUnavailableError: PostgreSQL is unreachable or refuses the connection; the reason is libpq's.
        ConfigurationError: the URL is not a connection string.
    """
    try:
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=CONNECT_TIMEOUT, application_name=name[:63], keepalives_idle=60
        )
    except psycopg.OperationalError as error:
        # libpq would take part of the password for the host or the port, and so quote it in its message.
        if set(url.partition("://")[2].rpartition("@")[0]) & set("@/?#"):
            raise ServiceUnavailableError(
                "PostgreSQL is unreachable, and the user or password in DATABASE_URL has one of @ / ? #: write it as "
                "%40 %2F %3F %23"
            ) from None
        raise ServiceUnavailableError(f"PostgreSQL is unreachable: {one_line(error)}") from error
    except (psycopg.ProgrammingError, ValueError):
        # libpq's message quotes the string with its password.
        raise ConfigurationError(NOT_A_URL) from None
    connection.adapters.register_loader("timestamptz", BoundedInstant)
    return connection


def execute(statement: str, values: Mapping[str, Any], *, retry: bool = True) -> list[tuple[Any, ...]]:
    """Execute one statement on the run's connection and return its rows.

    A connection that was lost since the last statement is replaced once, so the statement must be safe to send twice.

    Raises:
        ServiceUnavailableError: PostgreSQL is unreachable or doesn't answer.
        SchemaMissingError: it lacks our tables.
        ConfigurationError: it refuses the statement, for example for lack of a privilege.
    """
    global _connection, _connected_at
    fresh = _connection is None
    if _connection is None:
        _connection, _connected_at = open_connection("run-task"), time.monotonic()
    # For a statement that must not be carried out after this run has given up (statements.OPEN).
    patience = {
        "server_process": _connection.info.backend_pid,
        "answered_within": time.monotonic() - _connected_at + ANSWER_TIMEOUT - ANSWER_MARGIN,
    }
    try:
        with _answered_within(ANSWER_TIMEOUT):
            cursor = _connection.execute(statement, {**values, **patience})
            return cursor.fetchall() if cursor.description else []
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedObject):
        # A database that somebody named is theirs to migrate.
        if settings.setting("database_url", "") or not settings.load().sets_up or not retry:
            raise SchemaMissingError from None
        set_up()
        return execute(statement, values, retry=False)
    except (
        psycopg.errors.ReadOnlySqlTransaction,  # a standby; another host is, or will be, the primary
        psycopg.errors.LockNotAvailable,  # another session has a lock on the tables or the slot
    ) as error:
        raise ServiceUnavailableError(f"PostgreSQL refuses: {one_line(error)}") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        close()
        if retry and not fresh:
            return execute(statement, values, retry=False)
        raise ServiceUnavailableError(f"PostgreSQL went away: {one_line(error)}") from error
    except psycopg.Error as error:  # a missing privilege, or another release's tables
        raise ConfigurationError(f"PostgreSQL refuses: {one_line(error)}") from error


class _NoAnswerError(psycopg.OperationalError):
    """PostgreSQL does not answer."""


@contextmanager
def _answered_within(seconds: float) -> Iterator[None]:
    """Give up waiting after a time. libpq has no such limit, and the kernel of a hung server still acknowledges."""
    if threading.current_thread() is not threading.main_thread():  # signals arrive there only
        yield
        return

    def give_up(_signum: int, _frame: object) -> NoReturn:
        raise _NoAnswerError(f"no answer within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    running, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, running, interval)  # a task's own timer continues, a little late
        signal.signal(signal.SIGALRM, before)


def close() -> None:
    """Close the connection, if it is open."""
    global _connection  # noqa: PLW0603 - see execute
    if _connection is not None:
        _connection.close()
        _connection = None


def open_connection(name: str) -> Connection:
    """Open a connection to the project's database; start the embedded one of an undeployed project if it isn't running.

    Raises what `database_url` and `connect` do.
    """
    url = database_url()
    try:
        return connect(url, name=name)
    except ServiceUnavailableError:
        if settings.setting("database_url", "") or not settings.load().sets_up:
            raise
        set_up()  # the embedded server is not running: the machine was restarted
        return connect(database_url(), name=name)


def set_up() -> None:
    """Set up the embedded PostgreSQL of an undeployed project, with its tables, flags and sample data.

    Raises:
        ServiceUnavailableError: it failed; the reason is on standard error.
        ConfigurationError: it can't be set up, for example because another user has set it up.
    """
    command = [sys.executable, "-P", "-m", "scheduled_tasks.cli", "setup"]
    # Standard output is for log lines. Try twice, because a service may not be ready yet.
    codes = (subprocess.run(command, stdout=2, check=False).returncode for _ in range(2))
    code = next((code for code in codes if code != ServiceUnavailableError.exit_code), 1)
    if code != 0:
        kind = ConfigurationError if code == ConfigurationError.exit_code else ServiceUnavailableError
        raise kind("the project could not be set up; the reason is above")


def one_line(error: psycopg.Error) -> str:
    """PostgreSQL's or libpq's message in one line, without the statement and hints."""
    return " ".join((error.diag.message_primary or str(error)).split())
