"""run-task by hand on a terminal: JSON as ever, with a hint, or lines for people with --readable."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tests.integration.run.support import read_line
from tests.pseudo_terminal import on_a_terminal

if TYPE_CHECKING:
    from tests.integration.run.support import Project

RUN_TASK = (sys.executable, "-P", "-m", "scheduled_tasks.run.main")
HINT = "run-task: these lines are for programs; --readable writes them for people"


def test_a_terminal_gets_the_contracts_json_and_the_option_that_makes_it_readable(shop: Project) -> None:
    seen = on_a_terminal([*RUN_TASK, "ends.with_exception"], env=shop.environment, cwd=shop.folder, columns=1000)
    hint, *lines = seen.text.splitlines()
    assert hint == HINT
    assert [read_line(line).get("status") for line in lines] == ["started", "failed"]
    assert seen.exit_code == 1


def test_readable_lines_have_words_and_a_real_traceback(shop: Project) -> None:
    seen = on_a_terminal(
        [*RUN_TASK, "ends.with_exception", "--readable"], env=shop.environment, cwd=shop.folder, columns=200
    )
    lines = [line[9:] for line in seen.text.splitlines()]
    assert lines[1].startswith("started  run ")
    assert lines[2].startswith("failed   after ")
    assert lines[3] == "         Traceback (most recent call last):"
    assert HINT not in seen.text
    assert seen.exit_code == 1


def test_an_error_before_the_run_is_said_once(shop: Project) -> None:
    seen = on_a_terminal([*RUN_TASK, "sales.nothing", "--readable"], env=shop.environment, cwd=shop.folder)
    assert seen.text.count("unknown task 'sales.nothing'") == 1
    assert seen.exit_code == 64


def test_a_pipe_gets_no_hint(shop: Project) -> None:
    done = shop.run("ends.with_exception")
    assert HINT not in done.stderr
    assert json.dumps(done.lines)
