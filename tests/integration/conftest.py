"""PostgreSQL for the integration tests: one server per worker, migrated once, and a fresh copy for each test.

PostgreSQL copies a template database in a few dozen milliseconds.
"""

from __future__ import annotations

from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from scheduled_tasks.operate import migrations
from scheduled_tasks.run import database
from tests.own_postgresql import running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEMPLATE = "template_scheduled_tasks"
PACKAGES = (migrations.OWN, "scheduled_tasks.domains.migrations")

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Callable[[str], str]]:
    """A PostgreSQL for this test session: a function from a database's name to its URL."""
    with running_server() as running:
        with _administer(running.get_uri()) as connection:
            # Durability is of no use for data that lives as long as the tests.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        with _administer(running.get_uri(database=TEMPLATE)) as connection:
            migrations.migrate(connection, PACKAGES)
        yield lambda name: str(running.get_uri(database=name))


@pytest.fixture
def empty_database_url(server: Callable[[str], str]) -> Iterator[str]:
    """The URL of a fresh database without tables."""
    yield from _fresh_database(server, "template0")


@pytest.fixture
def database_url(server: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a fresh, migrated database, also in DATABASE_URL."""
    for url in _fresh_database(server, TEMPLATE):
        monkeypatch.setenv("DATABASE_URL", url)
        yield url
        database.close()  # the run's connection, if a task was called in this process


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the test's database in autocommit mode."""
    with _administer(database_url) as connection:
        yield connection


def _fresh_database(server: Callable[[str], str], template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with _administer(server("postgres")) as connection:
        # Copying files takes half as long as PostgreSQL's default, which writes each page to its log too.
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        yield server(name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _administer(url: str) -> closing[psycopg.Connection[Any]]:
    return closing(psycopg.connect(url, autocommit=True))
