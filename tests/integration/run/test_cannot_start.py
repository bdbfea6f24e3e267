"""A run that can't start writes one failed line and a sentence on standard error, exits, and records nothing."""

from __future__ import annotations

import pytest

from tests.integration.run.conftest import Rows
from tests.integration.run.support import Project

INVALID = {
    "a misspelt task": (
        ("sales.sel",), 64,
        "unknown task 'sales.sel' (a task is DOMAIN.TASK, in shop.tasks): did you mean sales.sell",
    ),
    "a task without its domain": (("prints",), 64, "did you mean streams.prints"),
    "a private function": (("signals._wait",), 64, "unknown task 'signals._wait'"),
    "a name that a domain only imports": (("sales.log_cron",), 64, "unknown task 'sales.log_cron'"),
    "a path": (("../../etc.passwd",), 64, "unknown task '../../etc.passwd'"),
    "spaces in the name": (("sales.sell now",), 64, "did you mean sales.sell"),
    "no name at all": (("",), 64, "unknown task ''"),
    "too few arguments": (
        ("ends.with_forked_child",), 64,
        "missing a required argument: 'message'; give them with --args '[…]' or --kwargs '{…}'",
    ),
    "a domain that can't be imported": (
        ("broken.anything",), 78, "shop.tasks.broken can't be imported: No module named 'shop.there_is_no_such_module'",
    ),
    "decorators in the wrong order": (
        ("misordered.sell",), 78,
        "shop.tasks.misordered.sell is already decorated with log_cron: put @cron_require_feature closest to the",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("argv", "exit_code", "reason"), INVALID.values(), ids=INVALID)
def test_a_run_that_can_not_start_reports_the_reason_and_is_not_recorded(
    shop: Project, rows: Rows, argv: tuple[str, ...], exit_code: int, reason: str
) -> None:
    finished = shop.run(*argv)
    assert finished.exit_code == exit_code
    assert finished.statuses == ["failed"]
    assert finished.end["exit_code"] == exit_code
    assert reason in finished.end["reason"]
    assert f"run-task: {finished.end['reason']}\n" in finished.stderr
    assert rows() == []


MISUSED = {
    "nothing": ((), "expected one task, DOMAIN.TASK, got none"),
    "two tasks": (("ends.well", "sales.sell"), "expected one task, DOMAIN.TASK, got ends.well sales.sell"),
    "an unknown option": (("ends.well", "--colour"), "option --colour not recognized"),
    "args that aren't JSON": (("ends.well", "--args", "[1"), "--args [1: not JSON"),
    "args that aren't a list": (("ends.well", "--args", "{}"), "--args {}: expected a JSON list"),
    "an invalid clock name": (
        ("ends.well", "--clock", "The Night"),
        "--clock The Night: a name consists of a-z",
    ),
}


@pytest.mark.parametrize(("argv", "message"), MISUSED.values(), ids=MISUSED)
def test_a_misused_command_line_is_explained_with_the_usage(shop: Project, argv: tuple[str, ...], message: str) -> None:
    finished = shop.run(*argv)
    assert (finished.exit_code, finished.lines) == (64, [])
    assert finished.stderr.startswith(f"run-task: {message}")
    assert "Usage: run-task DOMAIN.TASK" in finished.stderr


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            'domains = "nowhere.tasks"',
            "the package of the domains: nowhere.tasks can't be imported",
        ),
        ('app = "shop:nothing"', "{file}: domains is not set: write domains = … (the package of task functions"),
        ('colour = "red"', "{file}: unknown colour: the keys are domains, clocks, features"),
        ("domains = ", "{file}: not TOML"),
    ],
    ids=["a package that isn't there", "no domains", "an unknown key", "not TOML"],
)
@pytest.mark.parametrize("task", ["sales.sell", "sell"])
def test_a_wrong_configuration_exits_78_and_names_the_file(shop: Project, line: str, reason: str, task: str) -> None:
    file = shop.folder / "pyproject.toml"
    file.write_text(f"[tool.scheduled_tasks]\n{line}\n")
    finished = shop.run(task)
    assert finished.exit_code == 78
    assert finished.end["reason"].startswith(reason.format(file=file))


def test_a_domain_that_raises_does_not_hide_the_names_of_others(shop: Project) -> None:
    package = shop.folder / "shop" / "tasks" / "exploding"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('bang')\n")
    finished = shop.run("sales.sel")
    assert finished.exit_code == 64
    assert "did you mean sales.sell" in finished.end["reason"]
    assert "left out: shop.tasks.exploding can't be imported: RuntimeError: bang" in finished.stderr


def test_a_domain_that_exits_when_it_is_imported_is_a_wrong_configuration(shop: Project) -> None:
    (shop.folder / "shop" / "tasks" / "leaving.py").write_text("import sys\n\nsys.exit(0)\n")
    finished = shop.run("leaving.task")
    assert finished.exit_code == 78
    assert finished.end["reason"] == "shop.tasks.leaving can't be imported: SystemExit: 0"


def test_help_goes_to_standard_output(shop: Project) -> None:
    process = shop.start("--help").process
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    assert output.startswith(b"Usage: run-task DOMAIN.TASK")
