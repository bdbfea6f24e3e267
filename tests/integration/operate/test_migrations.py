"""Migrations wait for other sessions' locks without keeping anybody out, and each is applied once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scheduled_tasks.errors import ServiceUnavailableError
from scheduled_tasks.operate import migrations
from tests.integration.operate.roles import TASKS, as_role, granted
from tests.machine.waiting import wait_for

Database = psycopg.Connection[Any]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "late_migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "0001_a_column.sql").write_text("ALTER TABLE feature ADD COLUMN team text")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "late_migrations"
    sys.modules.pop("late_migrations", None)


def test_a_migration_is_applied_once_a_task_lets_go_of_the_table(
    connection: Database, database_url: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", 0.2)
    monkeypatch.setattr(migrations, "LOCK_TRIES", 1000)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ADD COLUMN%'"
    with granted(connection), as_role(connection, TASKS) as task, ThreadPoolExecutor() as pool:
        task.execute("BEGIN")
        task.execute("SELECT FROM feature")
        with psycopg.connect(database_url, autocommit=True) as owner:
            migrated = pool.submit(migrations.migrate, owner, [package])
            wait_for("a waiting migration", lambda: connection.execute(waits).fetchone() == (1,))
            # Whatever wants the table next gets its turn between two tries, however long the task's transaction is.
            wait_for("a pause", lambda: connection.execute(waits).fetchone() == (0,))
            assert not migrated.done()
            task.execute("ROLLBACK")
            assert migrated.result(60) == [f"{package}/0001_a_column.sql"]
        assert migrations.pending(connection, [package]) == []


def test_a_migration_that_gets_no_lock_says_so_and_changes_nothing(
    connection: Database, database_url: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", 0.1)
    monkeypatch.setattr(migrations, "LOCK_TRIES", 2)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT FROM feature")
        with pytest.raises(ServiceUnavailableError, match="other sessions had a lock on its tables"):
            migrations.migrate(connection, [package])
    assert migrations.pending(connection, [package]) == [f"{package}/0001_a_column.sql"]


def test_a_task_cannot_hold_up_migrations_with_an_advisory_lock(connection: Database, package: str) -> None:
    with granted(connection), as_role(connection, TASKS) as task:
        task.execute("SELECT pg_advisory_lock(7236113085)")  # the lock that migrations took once
        connection.execute("SET statement_timeout = '20s'")
        assert migrations.migrate(connection, [package]) == [f"{package}/0001_a_column.sql"]


def test_hosts_that_migrate_at_once_apply_each_migration_once(server: Any, empty_database_url: str) -> None:
    def migrate(_: int) -> list[str]:
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            return migrations.migrate(connection, [migrations.OWN])

    with ThreadPoolExecutor(4) as pool:
        applied = [name for names in pool.map(migrate, range(4)) for name in names]
    assert len(applied) == len(set(applied))
    assert min(applied) == "scheduled_tasks.migrations/0001_flags_and_ledger.sql"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        assert migrations.pending(connection, [migrations.OWN]) == []
