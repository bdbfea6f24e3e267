"""A run ends when all that its task left behind has ended: only then are its end line and its row written."""

from __future__ import annotations

import gzip
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.run.conftest import Rows
from tests.integration.run.support import Project, Running

Start = Callable[..., Running]
WAITS = "the task has returned, and the run ends when its threads have ended: "


@pytest.mark.parametrize(
    ("task", "end", "recorded"),
    [
        ("leftovers.a_thread", "ended", ("ended", 0, None, None)),
        ("leftovers.a_thread_that_starts_another", "ended", ("ended", 0, None, None)),
        ("leftovers.a_thread_and_a_failure", "failed", ("failed", 1, "ValueError", "sold out")),
    ],
)
def test_a_run_ends_when_its_threads_have_ended(
    start: Start, rows: Rows, task: str, end: str, recorded: tuple[Any, ...]
) -> None:
    running = start(task, stdin=subprocess.PIPE)
    running.wait_for("ready")
    if not task.endswith("another"):  # that thread has a name of Python's
        running.wait_for(f"{WAITS}stock keeper")
    assert rows() == [(task, "started", None, None, None)]
    assert running.process.stdin is not None
    running.process.stdin.close()
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (recorded[1], ["started", end])
    assert [line["message"] for line in finished.lines][-2] == "the thread is done"
    assert rows() == [(task, *recorded)]


def test_a_run_that_is_stopped_lets_its_threads_end(start: Start, rows: Rows) -> None:
    running = start("leftovers.a_thread", stdin=subprocess.PIPE)
    running.wait_for(f"{WAITS}stock keeper")
    running.process.send_signal(signal.SIGTERM)
    assert rows()[0][1] == "started"
    assert running.process.stdin is not None
    running.process.stdin.close()
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (143, ["started", "failed"])
    assert "the thread is done" in finished.messages(level="info")
    assert rows() == [("leftovers.a_thread", "failed", 143, "Stopped", "stopped by SIGTERM")]


@pytest.mark.parametrize(
    "task", ["leftovers.a_thread_that_waits_for_ever", "leftovers.an_exit_handler_that_waits_for_ever"]
)
def test_a_second_signal_cuts_off_what_does_not_end(start: Start, rows: Rows, task: str) -> None:
    running = start(task)
    running.wait_for("ready")
    running.process.send_signal(signal.SIGTERM)
    if "thread" in task:  # an exit handler is cut off by the first one
        while running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
    finished = running.finish()
    assert (finished.exit_code, finished.statuses) == (143, ["started", "failed"])
    assert rows() == [(task, "failed", 143, "Stopped", "stopped by SIGTERM")]


def test_a_run_does_not_wait_for_daemon_threads(shop: Project) -> None:
    finished = shop.run("leftovers.a_daemon_thread")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])


def test_a_pool_whose_workers_are_idle_ends(shop: Project) -> None:
    finished = shop.run("leftovers.a_pool")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert "pooled" in finished.messages(level="info")


def test_what_ends_a_thread_is_logged_as_one_line(shop: Project) -> None:
    finished = shop.run("leftovers.a_thread_that_fails")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    [line] = [line for line in finished.lines if line["level"] == "error"]
    assert line["message"] == "the thread scale of the task failed"
    assert line["exception"]["type"] == "ValueError"
    assert finished.stderr == ""


def test_exit_handlers_run_before_the_end(shop: Project) -> None:
    messages = [line["message"] for line in shop.run("leftovers.an_exit_handler").lines]
    assert messages[1] == "exiting"
    assert messages[2].startswith("type=cron name=an_exit_handler status=ended")


@pytest.mark.parametrize("task", ["leftovers.an_exit_handler_that_exits", "leftovers.nothing_because_it_exits"])
@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_exits_by_itself_records_no_end(shop: Project, rows: Rows, task: str, code: int) -> None:
    finished = shop.run(task, "--args", f"[{code}]")
    assert (finished.exit_code, finished.statuses) == (code, ["started"])
    assert rows() == [(task, "started", None, None, None)]


def test_an_exit_handler_that_raises_changes_nothing_as_in_python(shop: Project) -> None:
    finished = shop.run("leftovers.an_exit_handler_that_raises")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert "ZeroDivisionError" in finished.stderr


def test_no_finalizer_runs_after_the_end(shop: Project, rows: Rows) -> None:
    finished = shop.run("leftovers.a_finalizer")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert rows() == [("leftovers.a_finalizer", "ended", 0, None, None)]


def test_files_that_are_left_open_are_written_to_their_end(shop: Project, tmp_path: Path) -> None:
    assert shop.run("leftovers.open_files", "--args", f'["{tmp_path}"]').exit_code == 0
    assert (tmp_path / "plain").read_text() == "apples\n"
    assert gzip.decompress((tmp_path / "packed").read_bytes()) == b"apples\n"


def test_a_file_that_can_not_be_written_to_its_end_is_a_warning(shop: Project) -> None:
    assert shop.run("leftovers.a_full_disk").messages(level="warning") == [
        "a file that the task left open could not be written to its end: [Errno 28] No space left on device"
    ]


def test_child_processes_end_before_the_run_as_multiprocessing_does_at_exit(shop: Project, tmp_path: Path) -> None:
    finished = shop.run("leftovers.children", "--args", f'["{tmp_path}"]')
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert (tmp_path / "child").read_text() == "apples\n"


def test_no_log_line_gets_into_a_file_of_a_task_that_closed_all_descriptors(
    shop: Project, tmp_path: Path, rows: Rows, connection: psycopg.Connection[Any]
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    finished = shop.run("leftovers.no_descriptor", "--args", f'["{folder}"]')
    assert finished.exit_code == 0
    assert [file.read_text() for file in folder.iterdir()] == [""] * 20
    assert '"status": "ended"' in finished.stderr  # under systemd the same stream
    assert rows() == [("leftovers.no_descriptor", "ended", 0, None, None)]
