"""Every command ends with an exit code of docs/reference/exit-codes.md and, if it fails, one sentence: no traceback."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner, Result

from scheduled_tasks import errors
from scheduled_tasks.cli import main
from scheduled_tasks.project import typed_errors
from scheduled_tasks.run import settings
from tests.documented import PAGES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def walk(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from walk(command, *path, name)
        else:
            yield (*path, name), command


COMMANDS = dict(walk(main))
every_command = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


TABLE = PAGES["reference/exit-codes.md"].partition("## clocks")[2]
ROWS = [int(code) for code in re.findall(r"^\| (\d+) \|", TABLE, re.MULTILINE)]
DOCUMENTED = set(ROWS)


def call(*argv: str) -> Result:
    return CliRunner().invoke(main, argv, prog_name="clocks")


def fails_with(monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], error: BaseException) -> list[str]:
    """Have a command raise an error; return a command line that it accepts."""

    def callback(**_values: Any) -> None:
        raise error

    monkeypatch.setattr(COMMANDS[path], "callback", callback)
    return accepted(path)


def accepted(path: tuple[str, ...]) -> list[str]:
    """A command line that a command accepts, with what it requires and nothing else."""
    argv = [*path]
    for parameter in COMMANDS[path].params:
        if parameter.required:
            other = "1" if isinstance(parameter.type, click.IntRange) else "2026-11-24"
            value = __file__ if parameter.name == "files" else other
            argv += [value] if isinstance(parameter, click.Argument) else [parameter.opts[0], value]
    return argv


@every_command
def test_a_wrong_command_line_is_64(path: tuple[str, ...]) -> None:
    done = call(*path, "--nonsense")
    assert (done.exit_code, "--nonsense" in done.stderr) == (64, True), done.output


@pytest.mark.parametrize("argv", [["--nonsense"], ["nonsense"], ["features", "nonsense"], ["next", "--limit=x"]])
def test_a_wrong_word_or_value_is_64(argv: list[str]) -> None:
    assert call(*argv).exit_code == 64


@every_command
def test_an_unexpected_error_is_1_and_one_line(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    argv = fails_with(monkeypatch, path, ValueError("a planted\nfault"))
    done = call(*argv)
    said = "clocks: unexpected ValueError: a planted fault; --debug shows the traceback, please report it\n"
    assert (done.exit_code, done.stderr) == (1, said)
    for debugged in (call("--debug", *argv), call(*argv, "--debug")):
        assert debugged.exit_code == 1
        assert "raise error\nValueError: a planted\nfault\n" in debugged.stderr
        assert debugged.stderr.endswith(said)


# These would change this machine.
CHANGING = {("apply",), ("rollback",), ("remove",), ("prune-releases",)}


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in CHANGING], ids=" ".join)
def test_without_a_database_and_clock_files_an_error_has_its_code(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgresql:///x?host=/nowhere")
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(tmp_path / "pyproject.toml"))
    (tmp_path / "pyproject.toml").write_text('[tool.scheduled_tasks]\ndomains = "json"\n')
    settings.load.cache_clear()
    try:
        done = call(*accepted(path))
    finally:
        settings.load.cache_clear()
    assert done.exit_code in DOCUMENTED - {1}, done.stderr


def test_a_database_that_is_away_is_75(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql:///x?host=/nowhere")
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(ROOT / "pyproject.toml"))
    for argv in (["status"], ["history"], ["show", "abcd"], ["pause", "--all", "--reason", "x"], ["migrate"],
                 ["resume", "--all"], ["features", "list"], ["prune-runs"], ["demo"], ["watch"]):  # fmt: skip
        done = call(*argv)
        assert (done.exit_code, done.stderr.count("\n")) == (75, 1), f"{argv}: {done.stderr}"


ENDS = {
    "a file that this user cannot read": (PermissionError(13, "Permission denied", "/etc/x"), {74, 77}, "/etc/x: "),
    "a full disk": (OSError(errno.ENOSPC, "No space left on device", "/x"), {74}, "/x: No space left on device"),
    "Ctrl-C": (KeyboardInterrupt(), {130}, ""),
    "a reader that has seen enough": (BrokenPipeError(errno.EPIPE, "Broken pipe"), {141}, ""),
    "an error of ours": (errors.ServiceUnavailableError("PostgreSQL\x1b[2J"), {75}, "clocks: PostgreSQL\\u001b[2J\n"),
}  # fmt: skip


@pytest.mark.parametrize(("error", "codes", "said"), ENDS.values(), ids=ENDS)
def test_what_the_machine_or_the_user_causes_has_a_code_of_its_own(
    error: BaseException, codes: set[int], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = call(*fails_with(monkeypatch, ("status",), error))
    assert done.exit_code in codes
    assert said in done.stderr
    assert done.stderr.count("\n") == bool(said)


def test_what_only_root_can_read_is_77_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    done = call(*fails_with(monkeypatch, ("status",), PermissionError(13, "Permission denied", "/etc/x")))
    assert (done.exit_code, done.stderr) == (77, "clocks: /etc/x: permission denied: run this as root\n")


def test_every_error_of_the_database_is_one_line() -> None:
    import psycopg

    for kind, code in {
        psycopg.errors.UndefinedTable: 78,
        psycopg.errors.UndefinedColumn: 78,
        psycopg.errors.InsufficientPrivilege: 78,
        psycopg.errors.LockNotAvailable: 75,
        psycopg.errors.QueryCanceled: 75,
        psycopg.OperationalError: 75,
        psycopg.InterfaceError: 75,
    }.items():
        with pytest.raises(errors.ScheduledTasksError) as raised, typed_errors():
            raise kind("one\nLINE 1: two\n")
        assert (raised.value.exit_code, "\n" in str(raised.value)) == (code, False)


def test_a_closed_pipe_ends_quietly() -> None:
    """The shell's `clocks … | head -1`: Python would print a second error when it flushes at its exit."""
    command = f"{sys.executable} -P -m scheduled_tasks.cli explain minute=0 --from 2026-01-01; echo $? >&2"
    script = f"({command}) | true"
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr in {"141\n", "0\n"}, done.stderr  # 0 if `true` has not ended yet


def classes(kind: type[errors.ScheduledTasksError]) -> Iterator[type[errors.ScheduledTasksError]]:
    yield kind
    for subclass in kind.__subclasses__():
        yield from classes(subclass)


def test_the_table_has_every_exit_code_once() -> None:
    assert len(ROWS) == len(DOCUMENTED)
    # Those of a run, which `clocks` never raises.
    used = {kind.exit_code for kind in classes(errors.ScheduledTasksError) if ".run." not in kind.__module__}
    assert used | {0, 2, 3, 130, 141} <= DOCUMENTED


INTERRUPTED = """
import os, signal, sys
interrupted = sys.argv[1]
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == interrupted:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
from scheduled_tasks.cli.__main__ import clocks
sys.argv = ["clocks", "doctor", "--help"]
clocks()
"""


@pytest.mark.parametrize("module", ["commands", "doctor"])
def test_ctrl_c_while_the_commands_are_imported_ends_quietly(module: str) -> None:
    command = [sys.executable, "-Pc", INTERRUPTED, f"scheduled_tasks.cli.{module}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")
