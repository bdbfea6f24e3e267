"""Apply numbered SQL migrations: files `0001_what_it_does.sql` of a package, each once, in its own transaction.

The packages are this project's own and those that the configuration names (`migrations`). Why no library:
docs/decisions/0012-database.md.
"""

from __future__ import annotations

import re
import time
from base64 import b64decode, b64encode
from contextlib import suppress
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar

from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError, ServiceUnavailableError
from scheduled_tasks.project_process import ask_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import psycopg

T = TypeVar("T")

OWN = "scheduled_tasks.migrations"


class MigrationError(ScheduledTasksError):
    """A migration failed; those before it stay applied."""

    exit_code = 65


_FILE = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
LOCK_TIMEOUT, LOCK_TRIES = 5.0, 12  # how long a migration waits for a lock on a table (seconds), and how often
LOCK_PAUSE = 0.5  # seconds in which what waits behind the migration gets its turn

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration (
    package    text NOT NULL,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (package, name)
)
"""


def migrate(connection: psycopg.Connection[Any], packages: Iterable[str]) -> list[str]:
    """Apply pending migrations, by package and number.

    Args:
        connection: in autocommit mode, as a role that can create tables.
        packages: names of the packages with the files.

    Returns:
        `package/file` of each migration that was applied.

    Raises:
        ConfigurationError: a package can't be imported, or has a file that is not named like a migration.
        MigrationError: PostgreSQL rejected a migration.
        ServiceUnavailableError: another session kept a table locked.
    """
    import psycopg

    files = [(package, *file) for package in packages for file in _files(package)]
    # IF NOT EXISTS doesn't help if another host creates it at the same instant.
    with suppress(psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject, psycopg.errors.DuplicateTable):
        connection.execute(_TABLE)
    applied = []
    for package, name, text in files:
        try:
            if _retry(partial(_apply, connection, package, name, text)):
                applied.append(f"{package}/{name}")
        except psycopg.errors.LockNotAvailable as error:
            seconds = LOCK_TIMEOUT * LOCK_TRIES
            raise ServiceUnavailableError(
                f"{package}/{name}: nothing of it was applied, because other sessions had a lock on its tables for "
                f"{seconds:g} s: end their transactions (pg_stat_activity), or try again"
            ) from error
        except psycopg.Error as error:
            problem = f"PostgreSQL rejected it, and nothing of it was applied: {error}"
            raise MigrationError(f"{package}/{name}: {problem}") from error
    return applied


def _apply(connection: psycopg.Connection[Any], package: str, name: str, text: bytes) -> bool:
    """Apply a migration unless it is applied already, for example by another host at the same time."""
    with connection.transaction():
        # Hosts that migrate at once wait for each other here. No task can take this lock, or any on this table.
        connection.execute("SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true)")
        connection.execute("LOCK TABLE schema_migration IN SHARE ROW EXCLUSIVE MODE")
        known = "SELECT FROM schema_migration WHERE package = %s AND name = %s"
        if connection.execute(known, [package, name]).rowcount:
            return False
        # Any session that only reads a table can keep a migration from locking it, and whatever wants the table next,
        # such as a run, waits behind the migration.
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_TIMEOUT * 1000:.0f}ms"])
        connection.execute(text)
        connection.execute("INSERT INTO schema_migration (package, name) VALUES (%s, %s)", [package, name])
    return True


def _retry(act: Callable[[], T]) -> T:
    """Call a function again if another session was in its way."""
    import psycopg

    for _ in range(LOCK_TRIES - 1):
        try:
            return act()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            time.sleep(LOCK_PAUSE)
    return act()


def pending(connection: psycopg.Connection[Any], packages: Iterable[str]) -> list[str]:
    """The migrations that `migrate` would apply, as `package/file`."""
    [(exists,)] = connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchall()
    known = set(connection.execute("SELECT package, name FROM schema_migration").fetchall()) if exists else set()
    return [f"{package}/{name}" for package in packages for name, _ in _files(package) if (package, name) not in known]


def _files(package: str) -> list[tuple[str, bytes]]:
    """The names and contents of a package's migrations. The project's package is code, which is imported to find it."""
    if package == OWN:
        return _read(package)
    read = ask_project(
        lambda: [(name, b64encode(text).decode()) for name, text in _read(package)],
        f"the package of migrations {package}",
    )
    return [(name, b64decode(text)) for name, text in read]


def _read(package: str) -> list[tuple[str, bytes]]:
    try:
        entries = sorted(resources.files(package).iterdir(), key=lambda entry: entry.name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the package of migrations {package} can't be imported: {error}") from error
    sql_files = [entry for entry in entries if entry.name.endswith(".sql")]
    if misnamed := [entry.name for entry in sql_files if not _FILE.fullmatch(entry.name)]:
        raise ConfigurationError(f"{package}: {', '.join(misnamed)}: a migration is named 0001_what_it_does.sql")
    return [(entry.name, entry.read_bytes()) for entry in sql_files]
