"""However a task ends, its started line gets one end line, its row the same end, and the process the exit code."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.run.conftest import Rows
from tests.integration.run.support import Project

ENDS = {
    "returns": (("ends.well",), 0, "ended", None, None),
    "raises": (("ends.with_exception",), 1, "failed", "OutOfStockError", "no apples left"),
    "raises what can't be shown": (
        ("ends.with_unspeakable_exception",), 1, "failed", "UnspeakableError", "<no text: its __str__ raises>",
    ),
    "raises what is not UTF-8": (
        ("ends.with_exception_that_is_not_text",), 1, "failed", "OutOfStockError", r"no such file: caf\udce9 ",
    ),
    "KeyboardInterrupt of its own": (("ends.with_keyboard_interrupt",), 1, "failed", "KeyboardInterrupt", None),
    "sys.exit()": (("ends.with_exit",), 0, "ended", None, None),
    "sys.exit(0)": (("ends.with_exit", "--args", "[0]"), 0, "ended", None, None),
    "sys.exit(3)": (("ends.with_exit", "--args", "[3]"), 1, "failed", "SystemExit", "sys.exit(3)"),
    "sys.exit('text')": (
        ("ends.with_exit", "--args", '["sold out"]'), 1, "failed", "SystemExit", "sys.exit('sold out')",
    ),
    "sys.exit(what can't be shown)": (
        ("ends.with_unspeakable_exit",), 1, "failed", "SystemExit", "sys.exit(<no text: its __repr__ raises>)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("argv", "exit_code", "status", "error_type", "message"), ENDS.values(), ids=ENDS)
def test_each_end_is_logged_once_and_recorded(  # noqa: PLR0913, PLR0917 - a row of the table above has these columns
    shop: Project,
    rows: Rows,
    argv: tuple[str, ...],
    exit_code: int,
    status: str,
    error_type: str | None,
    message: str | None,
) -> None:
    finished = shop.run(*argv)
    assert finished.exit_code == exit_code
    assert finished.statuses == ["started", status]
    assert finished.end.get("exit_code", 0) == exit_code
    assert rows() == [(argv[0], status, exit_code, error_type, message)]


def test_the_end_line_of_an_exception_carries_it(shop: Project) -> None:
    end = shop.run("ends.with_exception").end
    assert end["exception"]["type"] == "shop.tasks.ends.OutOfStockError"
    assert end["exception"]["message"] == "no apples left"
    assert 'raise OutOfStockError("no apples left")' in end["exception"]["traceback"]
    assert end["level"] == "error"


def test_a_secret_is_neither_in_the_log_nor_in_the_row(shop: Project, rows: Rows, database_url: str) -> None:
    finished = shop.run("ends.with_secrets")
    assert finished.messages(level="info") == ["calling https://***@api"]
    for text in (f"{finished.lines}{finished.stderr}", f"{rows()}"):
        assert "hunter2" not in text
        assert database_url not in text


def test_the_runs_own_lines_have_the_classic_form(shop: Project) -> None:
    started, ended = shop.run("ends.well", "--clock", "night", "--job", "tidy").own
    assert started["message"] == "type=cron name=well status=started"
    assert ended["message"] == f"type=cron name=well status=ended duration={ended['duration']}"
    for line in (started, ended):
        assert (line["task"], line["clock"], line["job"]) == ("ends.well", "night", "tidy")
    assert started["run_id"] == ended["run_id"]


def test_a_traceback_too_deep_to_read_still_fits_a_line(shop: Project) -> None:
    finished = shop.run("ends.with_endless_recursion")
    assert finished.statuses == ["started", "failed"]
    assert finished.end["exception"]["type"] == "RecursionError"


def test_a_forked_child_that_raises_does_not_end_the_run(shop: Project, rows: Rows) -> None:
    finished = shop.run("ends.with_forked_child", "--args", '["raised by the child"]')
    assert finished.exit_code == 0
    assert finished.statuses == ["started", "ended"]
    assert rows() == [("ends.with_forked_child", "ended", 0, None, None)]


def test_a_forked_childs_exception_is_logged(shop: Project) -> None:
    finished = shop.run("ends.with_forked_child", "--args", '["raised by the child"]')
    [line] = [line for line in finished.lines if "exception" in line]
    assert line["message"] == "a child that the task forked failed"
    assert line["exception"]["message"] == "raised by the child"


ARGUMENTS: dict[str, tuple[tuple[str, ...], list[Any], dict[str, Any]]] = {
    "the application alone": ((), [], {}),
    "args": (("--args", '[{"@": "app"}, 1, "two", [3]]'), [1, "two", [3]], {}),
    "kwargs beside the application": (("--kwargs", '{"day": "monday"}'), [], {"day": "monday"}),
    "both": (("--args", '[{"@": "app"}, null]', "--kwargs", '{"a": {"b": 1.5}}'), [None], {"a": {"b": 1.5}}),
    "the application by name": (("--kwargs", '{"app": {"@": "app"}, "x": true}'), [], {"x": True}),
}


@pytest.mark.parametrize(("argv", "things", "more"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_reach_the_task(
    shop: Project, argv: tuple[str, ...], things: list[Any], more: dict[str, Any]
) -> None:
    finished = shop.run("ends.with_arguments", *argv)
    [called] = [line for line in finished.lines if line["message"] == "called"]
    assert (called["app"], called["things"], called["more"]) == ("shop", things, more)


def test_an_application_that_can_not_be_made_fails_the_run(shop: Project, rows: Rows) -> None:
    finished = shop.run("ends.with_all_saved", SHOP_APP="raises")
    assert finished.exit_code == 1
    assert finished.statuses == ["started", "failed"]
    assert rows() == [("ends.with_all_saved", "failed", 1, "RuntimeError", "the shop is closed")]


def test_uncommitted_changes_that_the_application_reports_are_a_warning(shop: Project) -> None:
    finished = shop.run("ends.with_something_unsaved")
    assert finished.messages(level="warning") == [
        "uncommitted changes are rolled back: the till is open; commit at the end of the task"
    ]


def test_without_uncommitted_changes_there_is_no_warning(shop: Project) -> None:
    assert shop.run("ends.with_all_saved").messages(level="warning") == []
