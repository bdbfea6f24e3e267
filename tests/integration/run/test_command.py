"""The bundled `command` task runs a crontab's command under run-task, in a project that has no such domain."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.run import support
from tests.integration.run.conftest import Rows
from tests.machine.waiting import wait_for


def arguments(*argv: str, **kwargs: object) -> list[str]:
    return ["command.run", "--args", json.dumps([list(argv)]), "--kwargs", json.dumps(kwargs)]


def lines(finished: support.Finished) -> list[tuple[str, str]]:
    return [(line["stream"], line["message"]) for line in finished.lines if "stream" in line]


def test_a_commands_output_becomes_log_lines_of_its_run(shop: support.Project, rows: Rows) -> None:
    finished = shop.run(*arguments("/bin/sh", "-c", "echo one; echo two >&2; cat", stdin="three\n"))
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert sorted(lines(finished)) == [("stderr", "two"), ("stdout", "one"), ("stdout", "three")]
    assert {line["task"] for line in finished.lines} == {"command.run"}
    assert rows() == [("command.run", "ended", 0, None, None)]


@pytest.mark.parametrize(
    ("script", "exit_code", "message"),
    [
        ("exit 3", 3, "/bin/sh exited with status 3"),
        ("kill -9 $$", 137, "/bin/sh was killed by signal 9"),
    ],
)
def test_a_commands_exit_status_is_the_runs_exit_code(
    shop: support.Project, rows: Rows, script: str, exit_code: int, message: str
) -> None:
    finished = shop.run(*arguments("/bin/sh", "-c", script))
    assert (finished.exit_code, finished.statuses) == (exit_code, ["started", "failed"])
    assert rows() == [("command.run", "failed", exit_code, "CommandFailedError", message)]


def test_a_command_gets_crons_environment_and_no_secret(shop: support.Project) -> None:
    finished = shop.run(*arguments("/usr/bin/env", environment={"LANG": "C", "PATH": "/bin"}, directory="/"))
    variables = dict(message.split("=", 1) for _, message in lines(finished))
    assert set(variables) - {"PWD", "_"} == {"HOME", "LOGNAME", "USER", "SHELL", "PATH", "LANG"}
    assert (variables["PATH"], variables["LANG"], variables["SHELL"]) == ("/bin", "C", "/bin/sh")


def test_no_shell_expands_the_arguments(shop: support.Project) -> None:
    assert lines(shop.run(*arguments("/bin/echo", "$HOME", "a  b", "*"))) == [("stdout", "$HOME a  b *")]


def test_a_program_that_can_not_be_started_is_a_wrong_configuration(shop: support.Project) -> None:
    finished = shop.run(*arguments("/no/such/program"))
    assert finished.exit_code == 78
    assert "/no/such/program can't be started" in finished.end["reason"]


def test_stopping_a_run_stops_its_command(start: Callable[..., support.Running]) -> None:
    running = start(*arguments("/bin/sh", "-c", "echo $$; exec sleep 600"))
    while "stream" not in (line := running.line()):
        pass
    child = int(line["message"])
    running.process.send_signal(signal.SIGTERM)
    assert running.finish().exit_code == 143
    wait_for("the command's end", lambda: not is_running(child))


STOPPED_AT_ONCE = """
import sys, threading
from pathlib import Path
from scheduled_tasks.bundled import command

def stop(thread):
    while not Path(sys.argv[1]).exists() or not Path(sys.argv[1]).read_text():
        pass
    raise KeyboardInterrupt

threading.Thread.start = stop
command.run(["/bin/sh", "-c", f"echo $$ >{sys.argv[1]}; exec sleep 600"])
"""


def test_a_stop_before_a_commands_output_is_read_ends_it_too(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    done = subprocess.run([sys.executable, "-c", STOPPED_AT_ONCE, written], capture_output=True, text=True, check=False)
    assert "KeyboardInterrupt" in done.stderr
    assert not is_running(int(written.read_text()))


def is_running(pid: int) -> bool:
    """Whether a process has not ended; init may not have collected its exit code yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    except OSError:
        return False
    return not state.startswith("Z")


def test_a_bundled_task_is_suggested_for_a_mistyped_name(shop: support.Project) -> None:
    finished = shop.run("command.runn")
    assert finished.exit_code == 64
    assert "did you mean command.run" in finished.end["reason"]
