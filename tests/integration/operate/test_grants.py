"""Privileges: the services' role reads flags and pauses and writes runs, the operators' role switches, no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.operate import feature_flags
from scheduled_tasks.operate.grants import grant
from scheduled_tasks.operate.prune import prune
from scheduled_tasks.run import database, record, statements
from scheduled_tasks.run.current import Run
from scheduled_tasks.run.status import RunStatus

Database = psycopg.Connection[Any]
TASKS, OPERATORS = "test_tasks", "test_operators"
FORBIDDEN_TO_TASKS = {
    "switch a flag": "UPDATE feature SET is_active = true",
    "add a flag": "INSERT INTO feature (name, is_active, updated_by) VALUES ('X', true, 'me')",
    "rewrite history": "DELETE FROM feature_change",
    "read history": "SELECT FROM feature_change",
    "resume": "UPDATE pause SET resumed_at = now()",
    "delete runs": "DELETE FROM task_run",
    "empty runs": "TRUNCATE task_run",
    "change deployments": "DELETE FROM deployed_job",
    "change a table": "ALTER TABLE task_run DROP COLUMN host",
    "create a table": "CREATE TABLE mine (id integer)",
}


@pytest.fixture
def roles(connection: Database) -> Iterator[Database]:
    for role in (TASKS, OPERATORS):
        connection.execute(f"CREATE ROLE {role}")
    connection.execute("INSERT INTO feature (name, is_active, updated_by) VALUES ('SELL', true, 'test')")
    grant(connection, tasks_role=TASKS, operators_role=OPERATORS)
    yield connection
    for role in (TASKS, OPERATORS):
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


@contextmanager
def acting(connection: Database, role: str) -> Iterator[None]:
    connection.execute(f"SET ROLE {role}")
    try:
        yield
    finally:
        connection.execute("RESET ROLE")


@pytest.mark.parametrize("statement", FORBIDDEN_TO_TASKS.values(), ids=FORBIDDEN_TO_TASKS)
def test_a_task_cannot(roles: Database, statement: str) -> None:
    with acting(roles, TASKS), pytest.raises(psycopg.errors.InsufficientPrivilege):
        roles.execute(statement)


def test_a_run_needs_no_more_than_the_privileges_of_the_services_role(
    roles: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(statement: str, values: Any) -> list[tuple[Any, ...]]:
        return roles.execute(statement, values).fetchall()

    monkeypatch.setattr(database, "execute", execute)
    run = Run("shop.work", "work", clock="shop", job="work")
    run.feature, run.slot_host, run.scheduled_at = "SELL", "", datetime(2026, 11, 24, 6, tzinfo=UTC)
    with acting(roles, TASKS):
        assert record.open_run(run, record.ClaimTerms(timeout=60, overlap="skip"), "1") == (1, True, False, "", "")
        result = record.Result(run.run_id, 1, RunStatus.ENDED, 0, 0.1)
        assert roles.execute(statements.CLOSE, result._asdict()).fetchall() == [(1,)]
        roles.execute("INSERT INTO venue (name) SELECT 'x' WHERE false")  # tasks can write the project's own tables


def test_an_operator_can_switch_pause_and_prune(roles: Database) -> None:
    roles.execute(
        "INSERT INTO task_run (run_id, task, host, trigger, status, started_at)"
        " SELECT gen_random_uuid(), 'a.b', 'app1', 'manual', status, now() - days * interval '1 day'"
        " FROM unnest(ARRAY['ended', 'started', 'ended'], ARRAY[500, 500, 300]) AS run (status, days)"
    )
    with acting(roles, OPERATORS):
        assert feature_flags.set_active(roles, "SELL", active=False, actor="ada", reason="stocktaking")
        roles.execute("INSERT INTO pause (clock, paused_by, reason) VALUES ('shop', 'ada', 'stocktaking')")
        assert prune(roles, 400) == 1
        assert roles.execute("SELECT status FROM task_run ORDER BY started_at").fetchall() == [("started",), ("ended",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            roles.execute("DELETE FROM feature_change")


def test_missing_roles_and_one_role_for_both_are_rejected(connection: Database) -> None:
    with pytest.raises(ConfigurationError, match="a task could switch flags"):
        grant(connection, tasks_role="app", operators_role="app")
    with pytest.raises(ConfigurationError, match="no role 'nobody_there'"):
        grant(connection, tasks_role="nobody_there", operators_role="")
