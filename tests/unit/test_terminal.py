"""Text that would act on a terminal is shown, by every command: in tables, sentences, errors, notes and JSON."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from scheduled_tasks.terminal import one_line, printable

REPOSITORY = Path(__file__).parents[2]
ACTIVE = {
    "\x1b[2J": r"\u001b[2J",  # CSI: clear the screen
    "\x1b]0;title\x07": r"\u001b]0;title\u0007",  # OSC: set the title
    "\x1b]8;;https://evil.example\x1b\\": r"\u001b]8;;https://evil.example\u001b" + "\\",
    "failed\rended ": r"failed\u000dended ",
    "\x08\x08ok": r"\u0008\u0008ok",
    "\x07": r"\u0007",
    "\x9b2J": r"\u009b2J",  # C1: CSI in one character
    "\x7f": r"\u007f",
    "\u202etxt.exe": r"\u202etxt.exe",
    "\u2066a\u2069": r"\u2066a\u2069",
    "\u2028": r"\u2028",
    "\udc9b": r"\udc9b",
}
HARMLESS = "tab\t, line\n, 10\xa0€, 👩‍👩‍👧, نص, \\u001b"


@pytest.mark.parametrize("text", ACTIVE, ids=ascii)
def test_what_acts_on_a_terminal_is_shown(text: str) -> None:
    assert printable(text) == ACTIVE[text]
    assert printable(printable(text)) == ACTIVE[text]


def test_other_text_is_as_it_was() -> None:
    assert printable(HARMLESS) == HARMLESS


def test_a_cell_of_a_table_makes_no_row() -> None:
    assert one_line("failed\nnightly/backup  ended\x1b[2J") == r"failed\nnightly/backup  ended\u001b[2J"


@pytest.mark.parametrize("text", [text for text in ACTIVE if "\udc9b" not in text], ids=ascii)
def test_a_program_that_reads_json_gets_the_text_itself(text: str) -> None:
    assert json.loads(printable(json.dumps([text, HARMLESS], ensure_ascii=False))) == [text, HARMLESS]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with active texts wherever it can have some."""
    folder = tmp_path_factory.mktemp("active")
    package = folder / "active"
    (package / "clocks").mkdir(parents=True)
    (package / "clocks/__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "tasks.py").write_text("def count(): 'Count \x9b2J.'\n", encoding="utf-8")
    (folder / "config.toml").write_text('domains = "active"\nclocks = "active.clocks"\nrun_task = "/bin/true"\n')
    return folder


def clocks(project: Path, *command: str, terminal: bool) -> str:
    """Run a command, with a terminal as its output or without; return all that it writes."""
    environment = {
        **os.environ, "PYTHONPATH": f"{project}:{REPOSITORY}", "SCHEDULED_TASKS_CONFIG": str(project / "config.toml"),
        "PYTHONUTF8": "1", "TERM": "xterm", "DATABASE_URL": "postgresql://127.0.0.1:1/nobody",
    }  # fmt: skip
    words = [sys.executable, "-P", "-m", "scheduled_tasks.cli", *command]
    if not terminal:
        done = subprocess.run(words, env=environment, capture_output=True, check=False)
        return (done.stdout + done.stderr).decode()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    try:
        while data := os.read(ours, 65536):
            written += data
    except OSError:  # EIO: the other end is closed
        pass
    finally:
        os.close(ours)
        process.wait()
    return written.decode()


CLOCK = "from scheduled_tasks import Clock\nfrom active.tasks import count\nscheduler = Clock(timezone='UTC')\n"
CASES = {
    "a table": ("scheduler.add_job(count, 'cron', hour=3)\n", ["list"], r"\u009b2J"),
    "json": ("scheduler.add_job(count, 'cron', hour=3)\n", ["list", "--json"], r"\u009b2J"),
    "a fault": ("raise ValueError('\\x1b]0;title\\x07')\n", ["list"], r"\u001b]0;title\u0007"),
    "a check": ("raise ValueError('\\x1b]0;title\\x07')\n", ["check"], r"\u001b]0;title\u0007"),
    "a note": ("print('\\x1b[2J', '\\r', '\\u202e.')\n", ["list"], r"\u001b[2J \u000d     \u202e."),
}


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("case", CASES)
def test_no_command_passes_it_on(case: str, project: Path, *, terminal: bool) -> None:
    text, command, shown = CASES[case]
    (project / "active/clocks/one.py").write_text(CLOCK + text, encoding="utf-8")
    written = clocks(project, *command, terminal=terminal)
    assert shown in written
    assert not set(written.replace("\r\n", "\n")) & set("\x07\r\x9b\u202e")
    assert "\x1b[2J" not in written
