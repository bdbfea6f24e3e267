"""Standard output has only JSON lines that fit the schema, whatever the task does to it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.run.conftest import Rows
from tests.integration.run.support import DEADLINE, Project, Running, read_line

Start = Callable[..., Running]


def test_a_tasks_output_goes_to_standard_error(shop: Project) -> None:
    finished = shop.run("streams.prints")
    assert finished.statuses == ["started", "ended"]
    assert [line["message"] for line in finished.lines if "status" not in line] == []
    assert sorted(finished.stderr.split()) == ["dunder", "late", "printed", "printed", "written"]


@pytest.mark.parametrize("task", ["streams.closes_stdout", "streams.closes_descriptor"])
def test_a_task_can_close_its_standard_output(shop: Project, rows: Rows, task: str) -> None:
    finished = shop.run(task)
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert rows() == [(task, "ended", 0, None, None)]


def test_a_childs_output_goes_to_standard_error(shop: Project) -> None:
    finished = shop.run("streams.starts_a_child_that_prints")
    assert finished.statuses == ["started", "ended"]
    assert len(finished.lines) == 2
    assert finished.stderr == "from the child\n"


def test_a_reader_that_is_gone_does_not_fail_the_run(start: Start, rows: Rows) -> None:
    running = start("sales.wait_for_input", stdin=subprocess.PIPE)
    running.wait_for("ready")
    assert running.process.stdin is not None
    assert running.process.stdout is not None
    running.process.stdout.close()
    running.process.stdin.close()
    assert running.process.wait(DEADLINE) == 0
    assert rows() == [("sales.wait_for_input", "ended", 0, None, None)]


@pytest.mark.parametrize("application", ["plain", "configures logging"])
def test_a_tasks_log_lines_carry_the_runs_fields(shop: Project, application: str) -> None:
    finished = shop.run("streams.warns_and_logs", "--clock", "night", "--job", "tidy", SHOP_APP=application)
    started = finished.own[0]
    logged = [line for line in finished.lines if "status" not in line]
    assert [(line["logger"], line["level"]) for line in logged] == [
        ("py.warnings", "warning"),
        ("shop.tasks.streams", "info"),
        ("shop.tasks.streams", "warning"),
    ]
    assert "the milk is old" in logged[0]["message"]
    assert [line["message"] for line in logged[1:]] == ["logged", "from a thread"]
    run_fields = ("type", "name", "task", "run_id", "host", "clock", "job")
    for line in logged:
        assert {key: line[key] for key in run_fields} == {key: started[key] for key in run_fields}
    assert "PLAIN" not in finished.stderr


def test_a_status_that_the_task_logs_does_not_look_like_the_runs(shop: Project) -> None:
    finished = shop.run("streams.logs_a_status")
    assert finished.statuses == ["started", "ended"]
    [order] = [line for line in finished.lines if line["message"] == "order 7 is ended"]
    assert (order["type"], order["extra_status"], order["extra_type"]) == ("cron", "ended", "order")


def test_systemds_invocation_id_is_in_every_line(shop: Project) -> None:
    finished = shop.run("ends.well", INVOCATION_ID="0123456789abcdef0123456789abcdef", TRIGGER_UNIT="clock-a-b.timer")
    assert {line["invocation_id"] for line in finished.lines} == {"0123456789abcdef0123456789abcdef"}


def _run_into(shop: Project, output: Path, journal_stream: str) -> list[bytes]:
    with output.open("wb") as file:
        running = shop.start("ends.with_exception", stdout=file, JOURNAL_STREAM=journal_stream)
        assert running.process.wait(DEADLINE) == 1
        assert running.process.stderr is not None
        running.process.stderr.close()
    return output.read_bytes().splitlines()


def test_lines_for_the_journal_have_a_priority_prefix(shop: Project, tmp_path: Path) -> None:
    output = tmp_path / "journal"
    output.touch()
    stat = output.stat()
    lines = _run_into(shop, output, f"{stat.st_dev}:{stat.st_ino}")
    assert [line[:3] for line in lines] == [b"<6>", b"<3>"]
    assert [read_line(line[3:])["status"] for line in lines] == ["started", "failed"]


@pytest.mark.parametrize("journal_stream", ["", "1:2", "nonsense", "{device}:1", "{device}"])
def test_lines_for_other_readers_have_no_priority_prefix(shop: Project, tmp_path: Path, journal_stream: str) -> None:
    output = tmp_path / "file"
    output.touch()
    lines = _run_into(shop, output, journal_stream.format(device=output.stat().st_dev))
    assert [read_line(line)["status"] for line in lines] == ["started", "failed"]
