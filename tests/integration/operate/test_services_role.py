"""What `clocks check` finds of the role that the jobs of a deployed host connect with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from scheduled_tasks.cli.common import inspect_services_roles
from scheduled_tasks.operate import migrations
from scheduled_tasks.operate.grants import Roles, grant
from scheduled_tasks.run import settings

ROLE = "tasks_of_check"


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_database_url: str) -> Iterator[str]:
    """A deployed configuration and its empty database; jobs and operators have the URL of its owner."""
    (tmp_path / "config.toml").write_text("")
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("OPERATORS_DATABASE_URL", empty_database_url)
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    settings.load.cache_clear()
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {ROLE}".encode())
        connection.execute(f"CREATE ROLE {ROLE} LOGIN CONNECTION LIMIT 5".encode())
        yield empty_database_url
        connection.execute(f"DROP OWNED BY {ROLE}".encode())
        connection.execute(f"DROP ROLE {ROLE}".encode())
    settings.load.cache_clear()


def migrated(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        migrations.migrate(connection, [migrations.OWN])
        grant(connection, Roles(tasks_role=ROLE))


def test_jobs_with_the_operators_role_are_found_even_before_the_tables_exist(deployed: str) -> None:
    [fault] = inspect_services_roles().faults
    assert "jobs and operators have the same role" in fault
    migrated(deployed)
    [fault] = inspect_services_roles().faults
    assert "is a superuser" in fault


def test_jobs_with_a_role_of_their_own_are_fine(deployed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", make_conninfo(deployed, user=ROLE))
    assert inspect_services_roles() == ((), ())
    migrated(deployed)
    assert inspect_services_roles() == ((), ())


def test_a_clocks_own_role_is_judged_as_well(deployed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", make_conninfo(deployed, user=ROLE))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "config.toml").write_text('credentials = ["database_url", "night.database_url"]\n')
    (tmp_path / "night.database_url").write_text(deployed)
    settings.load.cache_clear()
    [fault] = inspect_services_roles().faults
    assert "jobs and operators have the same role" in fault
    migrated(deployed)
    [fault] = inspect_services_roles().faults
    assert "is a superuser" in fault


def test_a_role_that_owns_the_tables_or_has_no_limit_is_found(deployed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", make_conninfo(deployed, user=ROLE))
    migrated(deployed)
    with psycopg.connect(deployed, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE task_run OWNER TO {ROLE}".encode())
        connection.execute(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1".encode())
    faults, warnings = inspect_services_roles()
    assert "owns the ledger's tables" in faults[0]
    assert "no connection limit" in warnings[0]
    with psycopg.connect(deployed, autocommit=True) as connection:
        connection.execute("ALTER TABLE task_run OWNER TO CURRENT_USER")
