"""Write a job of the bundled task command.run as the crontab line that it was, if cron can run it in the same way.

Pure: the arguments of the job go in; a command, its variables and its standard input come out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scheduled_tasks.bundled.command import PATH

if TYPE_CHECKING:
    from scheduled_tasks.clock import Job

COMMAND = "command.run"
DEFAULT_SHELL = "/bin/sh"
POSIX_SHELLS = {"sh", "bash", "dash", "ksh", "zsh"}  # which read what an export writes in front of a command
KEYWORDS = {"environment", "stdin", "directory"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SPECIAL = set("|&;<>()$`*?[]#~={}!\n\\")  # to a shell
LOGIN = {"LOGNAME", "USER"}  # cron sets them itself


@dataclass(frozen=True)
class CommandLine:
    """A command as cron runs it.

    Attributes:
        command: the text that the shell gets, without its standard input.
        shell: cron's SHELL.
        variables: those that the crontab sets for it, with PATH and, if it has a directory, HOME.
        stdin: its standard input; each line ends.
        remarks: how the line differs from the job, a sentence for each.
    """

    command: str
    shell: str = DEFAULT_SHELL
    variables: Mapping[str, str] = field(default_factory=dict)
    stdin: str = ""
    remarks: tuple[str, ...] = ()

    def written(self, before: str = "") -> str:
        """The command, behind other ones, and its standard input, as in a crontab: % is a line break there."""
        command = before + self.command
        parts = [command, *self.stdin.removesuffix("\n").split("\n")] if self.stdin else [command]
        return "%".join(part.replace("%", r"\%") for part in parts)


def command_line(job: Job) -> CommandLine | None:
    """The line of a job; None if it is no job of command.run, or cron can't run it in the same way."""
    argv, kwargs = _arguments(job)
    if job.task != COMMAND or argv is None:
        return None
    environment = dict(kwargs.get("environment") or {})
    texts = [*argv, *environment.values(), kwargs.get("directory") or ""]
    if any("\n" in text or "\0" in text for text in texts) or not all(map(NAME.fullmatch, environment)):
        return None
    if LOGIN & set(environment) or any(_is_changed(value) for value in environment.values()):
        return None
    shell, command = _shell_text(job, argv, environment.pop("SHELL", ""))
    variables, command = _with_directory(environment, kwargs.get("directory") or "", command)
    if command != command.strip():
        return None  # cron drops blanks at the ends
    stdin = str(kwargs.get("stdin") or "")
    remarks = ("cron ends its standard input with a line break",) if stdin and not stdin.endswith("\n") else ()
    return CommandLine(command, shell, {"PATH": PATH} | variables, stdin, remarks)


def _arguments(job: Job) -> tuple[list[str] | None, dict[str, Any]]:
    """The argument list and the keywords; None if they are not plain texts."""
    args, kwargs = list(job.args or ()), dict(job.kwargs)
    argv = args[0] if len(args) == 1 else kwargs.pop("argv", None) if not args else None
    is_plain = isinstance(argv, list) and argv and all(isinstance(word, str) for word in argv)
    return (argv if is_plain and set(kwargs) <= KEYWORDS else None), kwargs


def _is_changed(value: str) -> bool:
    """Whether cron would read another value: it drops blanks at the ends, and a quote at the start is its own."""
    return value != value.strip() or value.startswith(('"', "'"))


def _shell_text(job: Job, argv: list[str], shell: str) -> tuple[str, str]:
    """The shell and its text: that of the argument list, or one that runs it."""
    program, *rest = argv
    if len(rest) == 2 and rest[0] == "-c" and program.rpartition("/")[2] in POSIX_SHELLS and shell in {"", program}:  # noqa: PLR2004
        return program, rest[1]
    text = job.description  # the importer keeps the line's own text there
    if text != shlex.join(argv) and not _means(text, argv):
        text = shlex.join(argv)
    return shell or DEFAULT_SHELL, text


def _means(text: str, argv: list[str]) -> bool:
    """Whether a shell reads this argument list from a text, by its quotes alone."""
    try:
        return shlex.split(text) == argv and not set(text) & SPECIAL
    except ValueError:  # an unclosed quote
        return False


def _with_directory(environment: dict[str, str], directory: str, command: str) -> tuple[dict[str, str], str]:
    """The variables and the command that runs in a directory: cron starts commands in HOME."""
    if not directory or environment.get("HOME") == directory:
        if "HOME" in environment and not directory:
            # The job changes the variable alone, and runs elsewhere.
            home = environment.pop("HOME")
            return environment, f"export HOME={shlex.quote(home)}; {command}"
        return environment, command
    return environment, f"cd {shlex.quote(directory)} && {command}"
