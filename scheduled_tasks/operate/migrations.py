"""Apply numbered SQL migrations: files `0001_what_it_does.sql` of a package, each once, in its own transaction.

The packages are this project's own and those that the configuration names (`migrations`). Why no library:
docs/decisions/0012-database.md.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Any

from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

OWN = "scheduled_tasks.migrations"


class MigrationError(ScheduledTasksError):
    """A migration failed; those before it stay applied."""

    exit_code = 65


_FILE = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_LOCK = 7_236_113_085  # an arbitrary number: two hosts that migrate at once wait for each other

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
    """
    import psycopg

    applied = []
    connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        connection.execute(_TABLE)
        known = set(connection.execute("SELECT package, name FROM schema_migration").fetchall())
        for package in packages:
            for name, sql in _files(package):
                if (package, name) in known:
                    continue
                try:
                    with connection.transaction():
                        connection.execute(sql)
                        values = [package, name]
                        connection.execute("INSERT INTO schema_migration (package, name) VALUES (%s, %s)", values)
                except psycopg.Error as error:
                    problem = f"PostgreSQL rejected it, and nothing of it was applied: {error}"
                    raise MigrationError(f"{package}/{name}: {problem}") from error
                applied.append(f"{package}/{name}")
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    return applied


def pending(connection: psycopg.Connection[Any], packages: Iterable[str]) -> list[str]:
    """The migrations that `migrate` would apply, as `package/file`."""
    [(exists,)] = connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchall()
    known = set(connection.execute("SELECT package, name FROM schema_migration").fetchall()) if exists else set()
    return [f"{package}/{name}" for package in packages for name, _ in _files(package) if (package, name) not in known]


def _files(package: str) -> list[tuple[str, bytes]]:
    try:
        entries = sorted(resources.files(package).iterdir(), key=lambda entry: entry.name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the package of migrations {package} can't be imported: {error}") from error
    sql_files = [entry for entry in entries if entry.name.endswith(".sql")]
    if misnamed := [entry.name for entry in sql_files if not _FILE.fullmatch(entry.name)]:
        raise ConfigurationError(f"{package}: {', '.join(misnamed)}: a migration is named 0001_what_it_does.sql")
    return [(entry.name, entry.read_bytes()) for entry in sql_files]
