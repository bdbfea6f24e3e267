"""A slot's run survives a PostgreSQL that restarts, hangs, or has no connection left: one row, one effect.

The tests have a server of their own, because they kill, stop and fill it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scheduled_tasks.errors import ServiceUnavailableError
from scheduled_tasks.operate import migrations
from scheduled_tasks.run import current, database, record
from tests.integration.run import support
from tests.machine.waiting import wait_for
from tests.own_postgresql import Server, own_server

pytestmark = pytest.mark.xdist_group("postgresql_faults")  # one server for all of them

SLOT = ("--clock=shop", "--job=work", "--at=2026-11-24T06:00:00Z")
CONNECTIONS = 12
Run = Callable[..., support.Running]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_server(max_connections=CONNECTIONS, superuser_reserved_connections=0) as own:
        with closing(psycopg.connect(own.url, autocommit=True)) as connection:
            migrations.migrate(connection, [migrations.OWN])
        yield own


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Iterator[Run]:
    """Start a run of the slot, which has no row yet."""
    server.query("TRUNCATE task_run")
    shop = support.copy("shop", tmp_path, DATABASE_URL=server.url)
    with ExitStack() as stack:

        def start(task: str, **options: Any) -> support.Running:
            running = shop.start(task, *SLOT, **options)
            stack.callback(support.close, running)
            return running

        yield start


ROWS = "SELECT status, attempt, exit_code FROM task_run"


def test_a_run_is_recorded_even_if_postgresql_restarts_meanwhile(server: Server, run: Run) -> None:
    running = run("slots.wait", stdin=subprocess.PIPE)
    running.wait_for("ready")
    server.crash_and_restart()
    assert server.query(ROWS) == [("started", 1, None)]
    assert running.process.stdin is not None
    running.process.stdin.close()
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert server.query(ROWS) == [("ended", 1, 0)]


def test_a_run_waits_for_a_postgresql_that_hangs(server: Server, run: Run) -> None:
    with server.suspended():
        running = run("slots.work")
        assert running.line()["status"] == "started"
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert server.query(ROWS) == [("ended", 1, 0)]


def test_a_claim_that_a_hung_postgresql_reads_after_the_run_gave_up_does_not_come_into_being(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.query("TRUNCATE task_run")
    monkeypatch.setenv("DATABASE_URL", server.url)
    monkeypatch.setenv("SCHEDULED_TASKS_DATABASE_RETRY_TIMEOUT", "0.1")
    monkeypatch.setattr(database, "ANSWER_TIMEOUT", 1.5)
    monkeypatch.setattr(database, "CONNECT_TIMEOUT", 2)
    run = current.Run("shop.work", "work", clock="shop", job="work")
    run.slot_host, run.scheduled_at = "", datetime(2026, 11, 24, 6, tzinfo=UTC)
    database.execute("SELECT 1", {})  # connects
    [(process,)] = server.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'run-task'")
    with server.suspended(), pytest.raises(ServiceUnavailableError):
        record.open_run(run, record.ClaimTerms(), "")
    alive = f"SELECT FROM pg_stat_activity WHERE pid = {process}"
    wait_for("the end of the server's process", lambda: server.query(alive) == [])
    assert server.query(ROWS) == []


def test_a_run_waits_for_a_connection_if_none_is_left(server: Server, run: Run) -> None:
    with server.without_free_connections():
        before = server.refused_connections
        running = run("slots.work")
        assert running.line()["status"] == "started"
        wait_for("a rejected connection", lambda: server.refused_connections > before)
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert server.query(ROWS) == [("ended", 1, 0)]
