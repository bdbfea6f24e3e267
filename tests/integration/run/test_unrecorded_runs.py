"""Runs that could not record their start or their end, or did neither: the host's reconciler closes their rows."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from scheduled_tasks.operate.reconcile import reconcile
from tests.integration.run.slots import HERE, NAMED, SLOT, Database, Start, by_watch, rows, write
from tests.integration.run.support import Project


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder, in which the job has its own."""
    return tmp_path / "scheduled-tasks"


@pytest.fixture
def kept(state: Path) -> dict[str, str]:
    """The variables of a run that keeps its result there, and soon gives up waiting for PostgreSQL."""
    return {
        "STATE_DIRECTORY": str(state / "results/clock-shop-work"),
        "SCHEDULED_TASKS_DATABASE_RETRY_TIMEOUT": "0.5",
    }


@pytest.fixture
def unreachable() -> Iterator[str]:
    """The URL of a PostgreSQL that refuses connections."""
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        yield f"postgresql://127.0.0.1:{taken.getsockname()[1]}/shop"


def test_without_postgresql_a_run_retries_and_then_spools_that_it_did_not_begin(
    shop: Project, connection: Database, state: Path, kept: dict[str, str], unreachable: str
) -> None:
    finished = shop.run("slots.work", *NAMED, SCHEDULED_TASKS_TRIGGER="watch", DATABASE_URL=unreachable, **kept)
    assert (finished.exit_code, finished.statuses) == (75, ["started", "failed"])
    assert reconcile(connection, state, host=HERE).results == 1
    assert rows(connection, "status, attempt, exit_code, error_type, slot_host") == [
        ("failed", 0, 75, "ServiceUnavailableError", "")
    ]
    assert by_watch(shop, "slots.work").statuses == ["started", "ended"]


def test_a_run_that_gave_up_waiting_for_a_lock_leaves_no_claim_behind(
    shop: Project, connection: Database, database_url: str, state: Path, kept: dict[str, str]
) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute("LOCK TABLE task_run")
        finished = shop.run("slots.work", *NAMED, **kept)
        assert (finished.exit_code, finished.statuses) == (75, ["started", "failed"])
        assert finished.end["reason"] == "PostgreSQL refuses: canceling statement due to lock timeout"
        waiting = connection.execute("SELECT FROM pg_stat_activity WHERE application_name = 'run-task'").fetchall()
        assert waiting == []  # so that nothing is carried out later
    assert rows(connection) == []
    assert reconcile(connection, state, host=HERE).results == 1
    assert rows(connection, "status, attempt") == [("failed", 0)]
    assert by_watch(shop, "slots.work").statuses == ["started", "ended"]


def test_a_job_with_on_database_error_run_runs_although_postgresql_is_unreachable(
    shop: Project, connection: Database, state: Path, kept: dict[str, str], unreachable: str
) -> None:
    finished = shop.run("slots.work", *NAMED, "--on-database-error=run", DATABASE_URL=unreachable, **kept)
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert reconcile(connection, state, host=HERE).results == 1
    assert rows(connection, "status, attempt, exit_code") == [("ended", 1, 0)]


def test_a_result_that_can_not_be_recorded_is_kept_on_disk(
    start: Start, connection: Database, state: Path, kept: dict[str, str]
) -> None:
    running = start("slots.wait", *NAMED, stdin=subprocess.PIPE, STATE_DIRECTORY=kept["STATE_DIRECTORY"])
    running.wait_for("ready")
    connection.execute("ALTER TABLE task_run RENAME TO task_run_away")
    assert running.process.stdin is not None
    running.process.stdin.close()
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    connection.execute("ALTER TABLE task_run_away RENAME TO task_run")
    assert rows(connection, "status") == [("started",)]
    assert reconcile(connection, state, host=HERE).results == 1
    assert rows(connection, "status, exit_code, duration > 0") == [("ended", 0, True)]
    assert not list(state.glob("results/*/*"))


def test_a_spooled_result_counts_only_for_the_job_of_its_folder(
    shop: Project, connection: Database, tmp_path: Path
) -> None:
    write(connection, status="started", expires_at=datetime.now(UTC) + timedelta(hours=1))
    folder = tmp_path / "results/clock-shop-other"
    folder.mkdir(parents=True)
    lie = {"clock": "shop", "job": "work", "run_id": "11111111-1111-4111-8111-111111111111", "status": "ended"}
    (folder / "lie.json").write_text(json.dumps(lie))
    assert reconcile(connection, tmp_path, host=HERE).results == 0
    assert rows(connection, "status") == [("started",)]


def test_an_expired_run_is_lost_unless_it_can_be_taken_over(connection: Database, tmp_path: Path) -> None:
    write(connection, status="started", expires_at=SLOT)
    write(
        connection, run_id="22222222-2222-4222-8222-222222222222", job="again", status="started", expires_at=SLOT,
        is_idempotent=True,
    )  # fmt: skip
    done = reconcile(connection, tmp_path, host=HERE)
    assert [slot.job for slot in done.lost] == ["work"]
    assert [slot.job for slot in done.to_take_over] == ["again"]
    assert rows(connection, "job, status") == [("again", "started"), ("work", "lost")]


def test_a_row_that_a_task_has_locked_keeps_no_other_run_from_being_closed(
    connection: Database, database_url: str, tmp_path: Path
) -> None:
    write(connection, status="started", expires_at=SLOT)
    write(connection, run_id="22222222-2222-4222-8222-222222222222", job="held", status="started", expires_at=SLOT)
    with psycopg.connect(database_url) as task:
        task.execute("UPDATE task_run SET status = 'ended' WHERE job = 'held'")  # as close_run does, not committed
        connection.execute("SET statement_timeout = '20s'")
        assert [slot.job for slot in reconcile(connection, tmp_path, host=HERE).lost] == ["work"]
        task.rollback()
    assert [slot.job for slot in reconcile(connection, tmp_path, host=HERE).lost] == ["held"]
