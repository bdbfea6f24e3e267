"""PostgreSQL roles for a test: created, granted to, and removed again; and connections that log in as one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from scheduled_tasks.operate.grants import PURPOSES, Roles, grant

Database = psycopg.Connection[Any]
TASKS, OPERATORS, MONITORS, NIGHT = "test_tasks", "test_operators", "test_monitors", "test_night"
NOTIFIERS, PAGE = "test_notifiers", "test_page"
ALL = Roles(
    tasks_role=TASKS,
    tasks_tables=["venue", "booking"],
    operators_role=OPERATORS,
    monitors_role=MONITORS,
    notifier_role=NOTIFIERS,
    page_role=PAGE,
    clock_roles={"night": NIGHT},
)


@contextmanager
def granted(connection: Database, roles: Roles = ALL) -> Iterator[None]:
    """The roles that a configuration names, with their privileges."""
    names = [*roles.of_services, *filter(None, (getattr(roles, key) for key in PURPOSES))]
    for name in names:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
    try:
        grant(connection, roles)
        yield
    finally:
        for name in names:
            connection.execute(f"DROP OWNED BY {name}".encode())
            connection.execute(f"DROP ROLE {name}".encode())


def as_role(connection: Database, role: str) -> closing[Database]:
    """A connection of its own to the same database, logged in as a role."""
    url = make_conninfo(connection.info.dsn, user=role)
    return closing(psycopg.connect(url, autocommit=True))


def allowed(connection: Database, statements: Mapping[str, str]) -> list[str]:
    """The names of those statements that PostgreSQL does not refuse for want of a privilege."""

    def is_refused(statement: str) -> bool:
        try:
            with connection.transaction():
                connection.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege:
            return True
        return False

    return [name for name, statement in statements.items() if not is_refused(statement)]
