"""Run a command on a pseudo-terminal, as a person does, and return what the terminal was sent."""

from __future__ import annotations

import os
import pty
import subprocess
import termios
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Seen(NamedTuple):
    """What a terminal showed, and the exit code."""

    text: str
    exit_code: int


def on_a_terminal(
    command: Sequence[str], *, env: Mapping[str, str], columns: int = 80, cwd: Path | None = None
) -> Seen:
    """Run a command whose input, output and errors are a terminal; it has no colours unless `env` names a TERM."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    environment = {"TERM": "dumb"} | {key: value for key, value in env.items() if key != "COLUMNS"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=cwd)
    os.close(theirs)
    printed = b""
    with suppress(OSError):  # EIO: it has ended
        while data := os.read(ours, 65536):
            printed += data
    os.close(ours)
    return Seen(printed.decode().replace("\r\n", "\n"), process.wait())
