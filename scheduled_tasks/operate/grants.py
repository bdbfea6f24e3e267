"""Privileges in the database: services read flags and pauses, and write runs; operators also switch flags and pause.

`clocks migrate`, as the tables' owner, grants them to the roles that the configuration names (tasks_role,
operators_role); it creates no roles. If none is named, everybody connects as the owner, as in a checkout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from scheduled_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    import psycopg

# No DELETE for a task: it cannot undo what it recorded. The watch and `clocks prune-runs` use the operators' role.
TASKS = {"feature": "SELECT", "pause": "SELECT", "task_run": "SELECT, INSERT, UPDATE"}
OPERATORS = {
    "feature": "SELECT, INSERT, UPDATE",
    "feature_change": "SELECT, INSERT",
    "pause": "SELECT, INSERT, UPDATE",
    "task_run": "SELECT, INSERT, UPDATE, DELETE",
    "past_attempt": "SELECT, DELETE",
    "role_clock": "SELECT",
    "deployed_job": "SELECT, INSERT, UPDATE, DELETE",
    "host": "SELECT, INSERT, UPDATE, DELETE",
    "maintenance": "SELECT, INSERT, UPDATE, DELETE",
    "schema_migration": "SELECT",
}
OWN = tuple(OPERATORS)
MONITORS = dict.fromkeys(OWN, "SELECT")


def grant(
    connection: psycopg.Connection[Any], *, tasks_role: str, operators_role: str, monitors_role: str = ""
) -> None:
    """Grant each role its privileges on the ledger's tables, and revoke all others.

    The services' role can also read and write the rows of the project's own tables, which its migrations created.

    Raises:
        ConfigurationError: a role does not exist, or both are the same.
    """
    if tasks_role == operators_role:
        raise ConfigurationError(f"tasks_role and operators_role are both {tasks_role!r}: a task could switch flags")
    with connection.transaction():
        for role, rights in ((tasks_role, TASKS), (operators_role, OPERATORS), (monitors_role, MONITORS)):
            if role:
                _require(connection, role)
                _grant(connection, role, rights)
        if tasks_role:
            for (table,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> ALL (%s)"
                " AND tableowner = current_user",
                [list(OWN)],
            ).fetchall():
                _run(connection, "GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}", table, tasks_role)
            _run(connection, "GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}", _schema(connection), tasks_role)


def _grant(connection: psycopg.Connection[Any], role: str, rights: dict[str, str]) -> None:
    _run(connection, "GRANT USAGE ON SCHEMA {} TO {}", _schema(connection), role)
    for table in OWN:
        _run(connection, "REVOKE ALL ON {} FROM {}", table, role)
        if allowed := rights.get(table):
            _run(connection, f"GRANT {allowed} ON {{}} TO {{}}", table, role)


def _schema(connection: psycopg.Connection[Any]) -> str:
    [(schema,)] = connection.execute("SELECT current_schema()").fetchall()
    return str(schema)


def _require(connection: psycopg.Connection[Any], role: str) -> None:
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount == 0:
        raise ConfigurationError(f"PostgreSQL has no role {role!r}: create it first, as an administrator (CREATE ROLE)")


def _run(connection: psycopg.Connection[Any], statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
