"""What becomes of a slot's run while PostgreSQL restarts, stands still, or has no connection left: one row, one effect.

The server is the test's own: it is killed, stopped and filled.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scheduled_tasks.operate import migrations
from tests.integration.run import support
from tests.machine.machine import wait_for
from tests.own_postgresql import Server, own_server

SLOT = ("--clock=shop", "--job=work", "--at=2026-11-24T06:00:00Z")
CONNECTIONS = 12
Run = Callable[..., support.Running]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_server(max_connections=CONNECTIONS, superuser_reserved_connections=0) as one:
        with closing(psycopg.connect(one.url, autocommit=True)) as connection:
            migrations.migrate(connection, [migrations.OWN])
        yield one


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Iterator[Run]:
    """Starts a run of the slot, with a row of nobody yet."""
    server.query("TRUNCATE task_run")
    shop = support.copy("shop", tmp_path, DATABASE_URL=server.url)
    with ExitStack() as stack:

        def start(task: str, **options: Any) -> support.Running:
            running = shop.start(task, *SLOT, **options)
            stack.callback(support.close, running)
            return running

        yield start


ROWS = "SELECT status, attempt, exit_code FROM task_run"


def test_a_run_ends_in_its_row_though_postgresql_was_restarted_meanwhile(server: Server, run: Run) -> None:
    running = run("slots.wait", stdin=subprocess.PIPE)
    running.wait_for("ready")
    server.crash_and_restart()
    assert server.query(ROWS) == [("started", 1, None)]
    assert running.process.stdin is not None
    running.process.stdin.close()
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert server.query(ROWS) == [("ended", 1, 0)]


def test_a_run_waits_for_a_postgresql_that_stands_still(server: Server, run: Run) -> None:
    with server.standing_still():
        running = run("slots.work")
        assert running.line()["status"] == "started"
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert server.query(ROWS) == [("ended", 1, 0)]


def test_a_run_waits_for_a_connection_where_none_is_left(server: Server, run: Run) -> None:
    with server.without_connections():
        before = server.refusals
        running = run("slots.work")
        assert running.line()["status"] == "started"
        wait_for("its refusal", lambda: server.refusals > before, seconds=20)
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert server.query(ROWS) == [("ended", 1, 0)]
