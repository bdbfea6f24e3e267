"""Run a command of `clocks` in a pseudo-terminal, at ten past three in Paris, and write what it shows as plain text.

As a program it is the command inside the terminal: `clocks` with a fixed time, so that screens can be kept.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2037, 11, 24, 2, 10, tzinfo=UTC)
LINES = 40
STYLES = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow"}
SEQUENCE = re.compile(r"\x1b\[0m|(?:\x1b\[[1-9]\d*m)+")


def on_terminal(argv: Sequence[str], columns: int, *, cwd: Path, environment: dict[str, str]) -> tuple[int, str]:
    """The exit code of `clocks ARGV`, and what a terminal of so many columns got."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    variables = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, *argv], cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs,
        env=variables | {"TERM": "xterm-256color", "PYTHONPATH": str(Path.cwd())} | environment,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65536):
            shown += block
    except OSError:  # Linux's end of a terminal that no process has open
        pass
    os.close(ours)
    return process.wait(), shown.decode().replace("\r\n", "\n")


def marked(shown: str) -> str:
    """The text with its styles as marks: [red bold]bad[/]."""

    def mark(found: re.Match[str]) -> str:
        codes = re.findall(r"\d+", found[0])
        return "[/]" if codes == ["0"] else f"[{' '.join(STYLES[code] for code in codes)}]"

    return SEQUENCE.sub(mark, shown)


def plain(shown: str) -> str:
    """The text without its styles."""
    return SEQUENCE.sub("", shown)


def main() -> None:
    from scheduled_tasks import project
    from scheduled_tasks.cli.screens import local_times

    local_times.current_time = lambda: NOW
    project.database_now = lambda database: NOW
    from scheduled_tasks.cli import main as clocks

    clocks(prog_name="clocks")


if __name__ == "__main__":
    main()
