"""A person at a terminal of a machine: a shell on a pseudo-terminal of 80 columns, which gets one command at a time.

Commands go in as they are printed in the documentation; out come exit codes, and all that was on the screen, as text.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.machine.machine import Machine

LINES, COLUMNS = 24, 80
INSTALLS = re.compile(r"\b(apt-get|pip) ")
# The shell writes a record separator and the exit code of the last command before each prompt.
PROMPT = re.compile(r"\x1e(\d+)\x1e([^\n]*\$ )$")
SHELL = ("bash", "--noprofile", "--norc", "--noediting", "-i")
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][0-9A-Z]|\x1b[=>]|\x07")


class Terminal:
    """The terminal of one user.

    Attributes:
        home: the user's home folder.
        screen: what was shown so far, without control sequences, of a line that was overwritten its last state; what
            apt-get and pip print is left out.
    """

    def __init__(self, descriptor: int, home: str) -> None:
        self._descriptor, self.home = descriptor, home
        self.screen = ""
        self._until_prompt(30)

    def type(self, command: str, exit_code: int = 0, seconds: float = 300) -> str:
        """Type a command, wait until the prompt is back, and return what was shown.

        Raises:
            AssertionError: its exit code is another one; with what was shown.
        """
        os.write(self._descriptor, f"{command}\n".encode())
        code, shown = self._until_prompt(seconds)
        assert code == exit_code, f"{command} exited {code}:\n{shown}"
        return shown

    def _until_prompt(self, seconds: float) -> tuple[int, str]:
        deadline, text = time.monotonic() + seconds, ""
        while not (match := PROMPT.search(text)):
            ready, _, _ = select.select([self._descriptor], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"no prompt after {seconds:g} s:\n{text}"
            text += os.read(self._descriptor, 65536).decode(errors="replace")
        shown = _shown(text[: match.start()])
        self.screen += f"{_abridged(shown)}{match[2]}"
        return int(match[1]), shown


def _abridged(shown: str) -> str:
    """What was shown; of what apt-get and pip print, which names their servers, only how much it was."""
    command, _, printed = shown.partition("\n")
    if not INSTALLS.search(command):
        return shown
    return f"{command}\n[{printed.count(chr(10))} lines]\n"


def _shown(text: str) -> str:
    lines = CONTROLS.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2].rstrip() for line in lines)


@contextmanager
def terminal(machine: Machine, user: str, variables: Mapping[str, str]) -> Iterator[Terminal]:
    """A terminal at which a user has logged in, in the home folder."""
    home = "/root" if user == "root" else f"/home/{user}"
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "USER": user,
        "LANG": "C.UTF-8", "TERM": "xterm-256color", "PS1": "$ ", "PROMPT_COMMAND": r"printf '\036%s\036' $?",
        **variables,
    }  # fmt: skip
    command = [
        "nsenter", f"--target={machine.leader}", "--all", "env", "--ignore-environment", f"--chdir={home}",
        *(f"{name}={value}" for name, value in environment.items()), "runuser", f"--user={user}", "--", *SHELL,
    ]  # fmt: skip
    child, descriptor = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    try:
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        yield Terminal(descriptor, home)
    finally:
        os.close(descriptor)
        os.kill(child, signal.SIGHUP)
        os.waitpid(child, 0)
