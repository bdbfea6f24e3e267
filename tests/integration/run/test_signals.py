"""A run that a signal stops names the signal in its one end line, records it, and exits with 128 + the signal."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.run.conftest import Rows
from tests.integration.run.support import DEADLINE, Project, Running

Start = Callable[..., Running]

STOPPED = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


@pytest.mark.parametrize(("signum", "exit_code"), STOPPED, ids=[signum.name for signum, _ in STOPPED])
@pytest.mark.parametrize("task", ["signals.waits", "signals.swallows"])
def test_a_signal_stops_the_run(start: Start, rows: Rows, task: str, signum: signal.Signals, exit_code: int) -> None:
    running = start(task)
    running.wait_for("ready")
    running.process.send_signal(signum)
    finished = running.finish()
    assert finished.exit_code == exit_code
    assert finished.statuses == ["started", "failed"]
    assert finished.end["reason"] == f"stopped by {signum.name}"
    assert finished.end["exit_code"] == exit_code
    [(_, status, recorded_code, _, message)] = rows()
    assert (status, recorded_code, message) == ("failed", exit_code, f"stopped by {signum.name}")


def test_the_first_of_two_signals_is_the_reason(shop: Project) -> None:
    finished = shop.run("signals.signals_itself_twice")
    assert finished.exit_code == 143
    assert finished.statuses == ["started", "failed"]
    assert finished.end["reason"] == "stopped by SIGTERM"


def test_an_exception_during_cleanup_does_not_hide_the_signal(shop: Project) -> None:
    finished = shop.run("signals.raises_after_a_signal")
    assert finished.exit_code == 143
    assert finished.end["reason"] == "stopped by SIGTERM"
    assert finished.end["exception"]["message"] == "while cleaning up"


def test_a_signal_right_after_the_started_line_still_gets_an_end_line(shop: Project) -> None:
    finished = shop.run("signals.never_runs", SHOP_SIGNAL="right after the started line")
    assert finished.exit_code == 143
    assert finished.statuses == ["started", "failed"]
    assert finished.messages(level="info") == []


@pytest.mark.parametrize("part", ["asyncio.runners", "psycopg", "psycopg_binary._psycopg"])
def test_a_signal_while_the_driver_is_imported_gets_its_end_line_and_exit_code(shop: Project, part: str) -> None:
    slot = ("--clock=shop", "--job=work", "--at=2026-11-23T23:30:00Z")
    finished = shop.run("slots.work", *slot, SHOP_SIGNAL_AT_IMPORT_OF=part)
    assert finished.exit_code == 143
    assert finished.statuses == ["started", "failed"]
    assert "Traceback" not in finished.stderr


@contextlib.contextmanager
def _held(database_url: str) -> Iterator[None]:
    """Lock the table of runs from another connection."""
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE task_run")
        yield
        other.rollback()


def test_a_second_signal_does_not_prevent_the_row_of_the_end(
    start: Start, database_url: str, connection: psycopg.Connection[Any], rows: Rows
) -> None:
    running = start("signals.waits")
    running.wait_for("ready")
    with _held(database_url):
        running.process.send_signal(signal.SIGTERM)
        while "status" not in running.line():  # the end line is out, the row waits for the lock
            pass
        _until(lambda: connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone())  # fmt: skip
        running.process.send_signal(signal.SIGTERM)
        running.process.send_signal(signal.SIGINT)
        _until(lambda: "0000000000000000" in _status(running, "ShdPnd"))
    finished = running.finish()
    assert finished.exit_code == 143
    assert finished.statuses == ["started", "failed"]
    assert [row[1] for row in rows()] == ["failed"]


def test_a_run_started_when_its_process_began_however_long_its_claim_waited(
    start: Start, database_url: str, connection: psycopg.Connection[Any]
) -> None:
    with _held(database_url):
        running = start("ends.well")
        _until(lambda: connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone())  # fmt: skip
        [(waited_at,)] = connection.execute("SELECT clock_timestamp()").fetchall()
    assert running.finish().exit_code == 0
    # The database never writes an end later than its own clock.
    is_consistent = "ended_at BETWEEN started_at AND started_at + duration * interval '1 s'"
    [row] = connection.execute(f"SELECT started_at, duration > 0, {is_consistent} FROM task_run").fetchall()
    assert row[0] < waited_at
    assert row[1:] == (True, True)


def test_a_signal_while_the_run_waits_for_the_database_stops_it(
    start: Start, database_url: str, connection: psycopg.Connection[Any]
) -> None:
    with _held(database_url):
        running = start("sales.sell")
        running.line()
        _until(lambda: connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone())  # fmt: skip
        running.process.send_signal(signal.SIGTERM)
        finished = running.finish()
    assert finished.exit_code == 143
    assert finished.statuses == ["started", "failed"]
    assert finished.messages(level="info") == []


def test_a_stopped_tasks_statement_is_cancelled_in_the_server(
    start: Start, connection: psycopg.Connection[Any]
) -> None:
    def sleeping() -> object:
        return connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'the task' AND wait_event = 'PgSleep'"
            " AND datname = current_database()"
        ).fetchone()

    running = start("signals.queries")
    running.wait_for("ready")
    _until(sleeping)
    running.process.send_signal(signal.SIGTERM)
    assert running.finish().exit_code == 143
    assert sleeping() is None


def test_a_child_that_the_task_terminates_dies_of_the_signal(shop: Project) -> None:
    finished = shop.run("signals.terminates_a_child")
    [ended] = [line for line in finished.lines if line["message"] == "child ended"]
    assert ended["child_exit_code"] == -signal.SIGTERM
    assert finished.exit_code == 0
    assert "Traceback" not in finished.stderr


def test_a_signal_that_is_ignored_from_the_start_stays_ignored(shop: Project, start: Start) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does; children inherit it
    try:
        running = start("sales.wait_for_input", stdin=-1)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    running.wait_for("ready")
    running.process.send_signal(signal.SIGHUP)
    assert running.process.stdin is not None
    running.process.stdin.close()
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])


def test_a_signal_in_the_middle_of_a_long_line_leaves_the_line_complete(start: Start) -> None:
    running = start("streams.logs_for_ever")
    running.line()
    assert running.process.stdout is not None
    pipe = running.process.stdout.fileno()
    size = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
    # Nobody reads, so it waits in the middle of a line once the pipe is full.
    _until(lambda: _status(running, "State").startswith("S") and _waiting_bytes(pipe) > size - 4_096)
    running.process.send_signal(signal.SIGTERM)
    _until(lambda: "0000000000000000" in _status(running, "ShdPnd"))
    finished = running.finish()  # reads every line as JSON
    assert finished.exit_code == 143
    assert finished.statuses == ["started", "failed"]


def _status(running: Running, key: str) -> str:
    """A line of /proc/PID/status, for example the pending signals."""
    text = Path(f"/proc/{running.process.pid}/status").read_text()
    [line] = [line for line in text.splitlines() if line.startswith(f"{key}:")]
    return line.partition(":")[2].strip()


def _waiting_bytes(pipe: int) -> int:
    import array
    import termios

    waiting = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0]
