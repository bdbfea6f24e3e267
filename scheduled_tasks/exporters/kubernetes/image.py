"""Find the commands and paths of a job that the image lacks: it is Python's slim image with the project, no more.

What a shell runs can't be known for certain, so this reads the words at the places of commands, and everything that
looks like an absolute path. A command that is found by another way is not named.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scheduled_tasks.conversion_report import Difference
from scheduled_tasks.exporters.kubernetes.image_programs import BUILTINS, PREFIXES, PROGRAMS

if TYPE_CHECKING:
    from scheduled_tasks.clock import Job
    from scheduled_tasks.options import Options

COMMAND = "command.run"
# Not within a URL, an option's value such as --file=/x counts.
PATH = re.compile(r"(?<![\w.:/$}~-])/[\w.@%+-]+(?:/[\w.@%+-]+)*")
PROGRAM = re.compile(r"(?:/usr)?(?:/local)?/s?bin/([\w.+-]+)")
THERE = ("/tmp", "/dev", "/proc", "/sys", "/opt/app", "/etc/scheduled-tasks", "/run/credentials/scheduled-tasks")  # noqa: S108
ALSO_THERE = {"/", "/bin", "/etc", "/etc/passwd", "/etc/hosts", "/etc/os-release", "/usr", "/usr/bin", "/usr/local",
              "/usr/local/bin", "/opt", "/var", "/home", "/root"}  # fmt: skip
SHELL_ENDS = {";", "&&", "||", "|", "&", "(", "{", ")", ";;", "|&"}
WITH_VALUE = {"-u", "-g", "-n", "-c", "-k", "-s", "-w", "-I", "-P", "-p"}  # options of sudo, nice, timeout and others
KEYWORDS = {"then", "do", "else", "elif", "if", "while", "until", "!", "{", "time"}


def differences(job: Job, options: Options) -> Iterator[Difference]:
    """A difference that names what the image lacks, if it lacks anything."""
    arguments = [*(job.args or ()), *job.kwargs.values()]
    programs: dict[str, None] = {}
    if job.task == COMMAND and arguments and isinstance(arguments[0], list):
        programs = dict.fromkeys(_programs([str(word) for word in arguments[0]]))
    texts = [*_texts(arguments), options.text("working_directory")]
    for name in ("read_write_paths", "environment"):
        value = options.by_name.get(name, ())
        texts += value if isinstance(value, tuple) else ()
    lacking = [*(name for name in programs if _lacks_program(name)), *_lacking_paths(texts)]
    if lacking:
        named = ", ".join(dict.fromkeys(lacking))
        yield Difference("image", f"the image lacks {named}", instead="install or mount it, if the job needs it")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)


def _programs(argv: list[str]) -> Iterator[str]:
    """The programs that an argument list runs; of a shell's text, those at the places of commands."""
    if not argv:
        return
    yield argv[0]
    shell = argv[0].rpartition("/")[2] in {"sh", "bash", "dash"}
    if shell and len(argv) > 2 and argv[1] == "-c":  # noqa: PLR2004 - shell, -c, text
        yield from _of_shell(argv[2])


def _of_shell(text: str) -> Iterator[str]:
    lexer = shlex.shlex(text.replace("\n", ";"), posix=True, punctuation_chars=True)
    lexer.wordchars += ":@%+,$"
    try:
        words = list(lexer)
    except ValueError:  # an unclosed quote: a here-document, for example
        return
    at_command, skips_one = True, False
    for word in words:
        if skips_one:
            skips_one = False
        elif word in SHELL_ENDS or word in KEYWORDS:
            at_command = True
        elif at_command and word.startswith("-"):
            skips_one = word in WITH_VALUE
        elif at_command and not re.match(r"\w+=", word) and not word.isdigit():
            at_command = word.rpartition("/")[2] in PREFIXES
            if re.fullmatch(r"[\w./+-]+", word):
                yield word


def _lacks_program(name: str) -> bool:
    is_relative = "/" in name and not name.startswith("/")
    return is_relative or ("/" not in name and name not in PROGRAMS and name not in BUILTINS)


def _lacking_paths(texts: list[str]) -> Iterator[str]:
    for text in texts:
        for path in PATH.findall(text):
            program = PROGRAM.fullmatch(path)
            if program and program[1] in PROGRAMS:
                continue
            if path not in ALSO_THERE and not any(path == there or path.startswith(f"{there}/") for there in THERE):
                yield path
