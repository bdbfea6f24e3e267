"""The run's one connection to PostgreSQL: opened when it is first needed, kept until the process ends.

psycopg is imported here and nowhere else in the room. In a project that is not deployed, what is missing (the
embedded server, the tables) is set up on first use, by the operator's side in a process of its own, so that
nothing of that is imported here.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg

from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError, ServiceUnavailableError
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONNECT_TIMEOUT = 10  # seconds; a database that takes longer is not reachable now
ANSWER_TIMEOUT = 20.0  # seconds; our statements take milliseconds, and a server that was stopped keeps its connections
EMBEDDED_URL_FILE = "database_url"  # in the state directory: where the embedded PostgreSQL answers

Connection = psycopg.Connection[tuple[Any, ...]]

_connection: Connection | None = None


class SchemaMissingError(ConfigurationError):
    """The database lacks the project's tables: run `clocks migrate`, then `clocks features sync`."""


class OverlapError(ScheduledTasksError):
    """Another run of the job goes on."""


def database_url() -> str:
    """Where PostgreSQL is: the setting `database_url`, else the embedded one of an undeployed project.

    Raises:
        ConfigurationError: a deployed configuration without the setting.
    """
    if url := settings.setting("database_url", ""):
        return url
    configuration = settings.load()
    if configuration.deployed:
        raise ConfigurationError(
            "no database is configured: give the service a credential database_url, or set DATABASE_URL"
        )
    file = configuration.state_directory / EMBEDDED_URL_FILE
    if not file.is_file():
        set_up()
    return file.read_text().strip()


def connect(url: str, *, name: str) -> Connection:
    """Opens a connection on which each statement is a transaction of its own.

    Args:
        url: a libpq connection string or URI.
        name: what `pg_stat_activity` shows as `application_name`.

    Raises:
        ServiceUnavailableError: PostgreSQL can't be reached, or refuses us; the reason is libpq's.
        ConfigurationError: the connection string is not one.
    """
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT,
            application_name=name[:63],
            keepalives_idle=60,
        )
    except psycopg.OperationalError as error:
        if _looks_misread(url):
            raise ServiceUnavailableError(
                "PostgreSQL is not reachable, and the user or password in DATABASE_URL has one of @ / ? #: write it as "
                "%40 %2F %3F %23"
            ) from None
        raise ServiceUnavailableError(f"PostgreSQL is not reachable: {_one_line(error)}") from error
    except (psycopg.ProgrammingError, ValueError):
        # libpq's text quotes the string, and with it the password.
        raise ConfigurationError("DATABASE_URL is not a PostgreSQL connection string or URI") from None


def execute(statement: str, values: Mapping[str, Any], *, retry: bool = True) -> list[tuple[Any, ...]]:
    """Executes one statement on the run's connection and returns its rows.

    A connection that was lost since the last statement is replaced once; the statement must be one
    that may be sent twice.

    Raises:
        ServiceUnavailableError: PostgreSQL can't be reached, or doesn't answer.
        SchemaMissingError: it lacks our tables.
        OverlapError: the job's other run has to be over first.
        ConfigurationError: it refuses the statement, for example to the configured role.
    """
    global _connection  # noqa: PLW0603 - the connection belongs to the process, as the run does
    fresh = _connection is None
    if _connection is None:
        _connection = open_connection("run-task")
    try:
        with _answered_within(ANSWER_TIMEOUT):
            cursor = _connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name == "task_run_exclusive":
            raise OverlapError from None
        raise ConfigurationError(f"PostgreSQL refuses: {_one_line(error)}") from error
    except psycopg.errors.UndefinedTable:
        if settings.load().deployed or not retry:
            raise SchemaMissingError from None
        set_up()
        return execute(statement, values, retry=False)
    except psycopg.errors.ReadOnlySqlTransaction as error:  # a standby: another host is, or will be, the primary
        raise ServiceUnavailableError(f"PostgreSQL refuses: {_one_line(error)}") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        _connection = None
        if retry and not fresh:
            return execute(statement, values, retry=False)
        raise ServiceUnavailableError(f"PostgreSQL went away: {_one_line(error)}") from error
    except psycopg.Error as error:  # no right to the tables, or another release's
        raise ConfigurationError(f"PostgreSQL refuses: {_one_line(error)}") from error


class _NoAnswerError(psycopg.OperationalError):
    """PostgreSQL does not answer."""


@contextmanager
def _answered_within(seconds: float) -> Iterator[None]:
    """Gives up waiting. libpq has no such limit: of a server that hangs, the kernel goes on acknowledging."""
    if threading.current_thread() is not threading.main_thread():  # only there signals arrive
        yield
        return

    def give_up(_signum: int, _frame: object) -> NoReturn:
        raise _NoAnswerError(f"no answer within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    running, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, running, interval)  # a task's own goes on, a little late
        signal.signal(signal.SIGALRM, before)


def close() -> None:
    """Closes the connection, if there is one."""
    global _connection  # noqa: PLW0603 - see execute
    if _connection is not None:
        _connection.close()
        _connection = None


def open_connection(name: str) -> Connection:
    """Opens a connection to the project's database, setting up what an undeployed project lacks.

    Errors are those of `database_url` and `connect`.
    """
    url = database_url()
    try:
        return connect(url, name=name)
    except ServiceUnavailableError:
        if settings.setting("database_url", "") or settings.load().deployed:
            raise
        set_up()  # the embedded server is not running: the machine was restarted
        return connect(database_url(), name=name)


def set_up() -> None:
    """Sets up what an undeployed project lacks: embedded PostgreSQL, tables, flags, sample data.

    Raises:
        ServiceUnavailableError: that failed; what it said stands on standard error.
    """
    command = [sys.executable, "-P", "-m", "scheduled_tasks.cli", "setup"]
    # Standard output is the log lines'. Once more where it says that a service was not ready yet.
    codes = (subprocess.run(command, stdout=2, check=False).returncode for _ in range(2))
    if next((code for code in codes if code != ServiceUnavailableError.exit_code), 1) != 0:
        raise ServiceUnavailableError("the project could not be set up; the reason stands above")


def _looks_misread(url: str) -> bool:
    """Whether libpq takes a part of the password for the host or the port: its text would quote that."""
    user_and_password = url.partition("://")[2].rpartition("@")[0]
    return any(character in user_and_password for character in "@/?#")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
