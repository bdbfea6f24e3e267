"""A run reads its flag and writes its row; what it does if PostgreSQL is unreachable, goes away, or is empty."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.run import support
from tests.integration.run.conftest import Rows
from tests.integration.run.support import Project, Running

Start = Callable[..., Running]
Database = psycopg.Connection[Any]


def _set(connection: Database, name: str, *, active: bool) -> None:
    connection.execute("INSERT INTO feature (name, is_active, updated_by) VALUES (%s, %s, 'test')", [name, active])


def _deployed(shop: Project) -> Project:
    """The same project as if deployed: its package installed, its configuration elsewhere."""
    config = shop.folder / "config.toml"
    config.write_text(
        'domains = "shop.tasks"\nfeatures = "shop.features:FeatureToggle"\napp = "shop.application:create_app"\n'
    )
    installed = f"{shop.folder}:{shop.environment['PYTHONPATH']}"
    environment = shop.environment | {"SCHEDULED_TASKS_CONFIG": str(config), "PYTHONPATH": installed}
    return Project(shop.folder, shop.errors, environment)


@pytest.mark.parametrize("task", ["sales.sell", "sales.sell_without_a_word"])
def test_a_task_whose_flag_is_on_runs(shop: Project, connection: Database, rows: Rows, task: str) -> None:
    _set(connection, "SELL", active=True)
    finished = shop.run(task)
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert finished.messages(level="info") == ["sold"]
    assert finished.end["feature"] == "SELL"
    assert rows() == [(task, "ended", 0, None, None)]


def test_a_task_whose_flag_is_off_is_skipped(shop: Project, connection: Database, rows: Rows) -> None:
    _set(connection, "SELL", active=False)
    finished = shop.run("sales.sell")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "skipped"])
    assert finished.messages(level="info") == []
    assert finished.end["reason"] == "feature SELL is not active"
    assert rows() == [("sales.sell", "skipped", 0, None, "feature SELL is not active")]


@pytest.mark.parametrize(
    ("task", "status", "default"), [("sales.sell", "ended", "active"), ("sales.give_away", "skipped", "inactive")]
)
def test_a_flag_that_the_table_lacks_has_its_default(shop: Project, task: str, status: str, default: str) -> None:
    finished = shop.run(task)
    assert (finished.exit_code, finished.statuses) == (0, ["started", status])
    [warning] = finished.messages(level="warning")
    assert warning.endswith(f"is not in the table and has its default ({default}); `clocks features sync` adds it")


def test_other_tasks_that_a_task_calls_check_their_own_flags(shop: Project, connection: Database) -> None:
    _set(connection, "GIVE_AWAY", active=False)
    _set(connection, "SELL", active=True)
    finished = shop.run("sales.ask_for_other_flags")
    assert finished.messages(level="info") == ["GIVE_AWAY is not active", "sold"]


def test_the_row_has_job_host_and_trigger(shop: Project, connection: Database) -> None:
    finished = shop.run("ends.well", "--clock", "night", "--job", "tidy", TRIGGER_UNIT="clock-night-tidy.timer")
    shop.run("ends.well")
    rows = connection.execute(
        "SELECT clock, job, trigger, host, duration < 10, ended_at >= started_at FROM task_run ORDER BY started_at"
    ).fetchall()
    host = socket.gethostname()
    assert rows == [("night", "tidy", "timer", host, True, True), (None, None, "manual", host, True, True)]
    stored = connection.execute("SELECT run_id::text FROM task_run WHERE clock = 'night'").fetchone()
    assert stored == (finished.end["run_id"],)


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:  # bound but not listening: nobody else gets the port, and connections are refused
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_without_postgresql_a_task_behind_a_flag_does_not_run(shop: Project, closed_port: int) -> None:
    url = f"postgresql://robot:hunter2@127.0.0.1:{closed_port}/shop"
    finished = shop.run("sales.sell", DATABASE_URL=url)
    assert (finished.exit_code, finished.statuses) == (75, ["started", "failed"])
    assert finished.messages(level="info") == []
    assert finished.end["reason"].startswith("PostgreSQL is unreachable: connection failed")
    assert "hunter2" not in f"{finished.lines}{finished.stderr}"


def test_without_postgresql_a_task_without_a_flag_runs_with_a_warning(shop: Project, closed_port: int) -> None:
    finished = shop.run("ends.well", DATABASE_URL=f"postgresql://127.0.0.1:{closed_port}/shop")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    [warning] = finished.messages(level="warning")
    assert warning.startswith("this run is not recorded: PostgreSQL is unreachable: ")


@pytest.mark.parametrize(
    ("url", "exit_code"),
    [
        ("postgresql://robot:hunter2 %zz@127.0.0.1/shop", 78),
        ("host=127.0.0.1 password=hunter2 oops", 78),
        ("postgresql://robot:hunter2@hunter2@127.0.0.1:{port}/shop", 75),
        ("postgresql://robot:hunter2/x@127.0.0.1:{port}/shop", 75),
        ("postgresql://robot:x?hunter2#@127.0.0.1:{port}/shop", 75),
    ],
)
def test_an_error_never_quotes_the_password(shop: Project, closed_port: int, url: str, exit_code: int) -> None:
    finished = shop.run("sales.sell", DATABASE_URL=url.format(port=closed_port))
    assert (finished.exit_code, finished.statuses) == (exit_code, ["started", "failed"])
    assert "hunter2" not in f"{finished.lines}{finished.stderr}"


def test_a_connection_lost_during_the_run_is_replaced_for_the_end(
    start: Start, connection: Database, rows: Rows
) -> None:
    running = start("sales.wait_for_input", stdin=subprocess.PIPE)
    running.wait_for("ready")
    ended = connection.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE application_name = 'run-task' AND datname = current_database()"
    ).fetchall()
    assert ended == [(True,)]
    assert running.process.stdin is not None
    running.process.stdin.close()
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert rows() == [("sales.wait_for_input", "ended", 0, None, None)]


def test_a_result_that_can_not_be_recorded_is_a_warning_and_changes_nothing_else(shop: Project) -> None:
    finished = _deployed(shop).run("sales.drop_the_table")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    [warning] = finished.messages(level="warning")
    assert warning == (
        "the result of this run is not recorded: "
        "The database lacks the project's tables: run `clocks migrate`, then `clocks features sync`."
    )


def test_a_read_only_database_counts_as_unreachable(shop: Project, database_url: str) -> None:
    url = f"{database_url}&options=-c%20default_transaction_read_only%3Don"
    finished = shop.run("sales.sell", DATABASE_URL=url)
    assert (finished.exit_code, finished.statuses) == (75, ["started", "failed"])
    assert "read-only transaction" in finished.end["reason"]


def test_tables_of_another_release_are_a_wrong_configuration(shop: Project, connection: Database) -> None:
    connection.execute("ALTER TABLE task_run RENAME COLUMN host TO machine")
    flagless = shop.run("ends.well")
    assert (flagless.exit_code, flagless.statuses) == (0, ["started", "ended"])
    finished = shop.run("sales.sell")
    assert (finished.exit_code, finished.statuses) == (78, ["started", "failed"])
    assert finished.end["reason"] == 'PostgreSQL refuses: record "run" has no field "host"'


@pytest.mark.parametrize("where", ["checkout", "deployed"])
def test_a_run_creates_nothing_in_a_database_that_is_named(tmp_path: Path, empty_database_url: str, where: str) -> None:
    shop = support.copy("shop", tmp_path, DATABASE_URL=empty_database_url)
    finished = (_deployed(shop) if where == "deployed" else shop).run("sales.sell")
    assert (finished.exit_code, finished.statuses) == (78, ["started", "failed"])
    assert finished.end["reason"].startswith("The database lacks the project's tables: run `clocks migrate`")
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def test_a_deployed_project_without_a_database_is_a_wrong_configuration(shop: Project) -> None:
    finished = _deployed(shop).run("sales.sell", DATABASE_URL="")
    assert (finished.exit_code, finished.statuses) == (78, ["started", "failed"])
    assert finished.end["reason"].startswith("no database is configured: give the service a credential database_url")


def test_the_database_url_can_be_a_credential(shop: Project, database_url: str, tmp_path: Path, rows: Rows) -> None:
    (tmp_path / "database_url").write_text(f"{database_url}\n")
    finished = shop.run("ends.well", DATABASE_URL="", CREDENTIALS_DIRECTORY=str(tmp_path))
    assert (finished.exit_code, finished.messages(level="warning")) == (0, [])
    assert rows() == [("ends.well", "ended", 0, None, None)]
