"""Parse a crontab line by line: comments, variables, entries, and lines that cron refuses.

The rules are those of crontab(5) as Debian's cron and cronie read it, and of anacrontab(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

USER, SYSTEM, ANACRON = "user", "system", "anacron"
FIELDS = 5
VARIABLE = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z_][A-Za-z0-9_]*))\s*=\s*(.*?)\s*$""")
# Digits, letters and signs, of any alphabet: what cron has no time for is refused with what to write.
FIELD = re.compile(r"[-\w*,/~#?]+")


@dataclass(frozen=True)
class Line:
    """One line: `kind` is empty, comment, variable, entry or wrong; the other fields belong to some kinds only.

    `when` is the five fields or the @word, in an anacrontab the period, with `delay` in minutes and the job's
    `identifier`.
    """

    number: int
    text: str
    kind: str
    name: str = ""
    value: str = ""
    when: str = ""
    user: str = ""
    command: str = ""
    stdin: str = ""
    delay: int = 0
    identifier: str = ""
    problem: str = ""


def format_of(path: Path) -> str:
    """A crontab's format by its path: /etc/crontab and /etc/cron.d name a user in each line."""
    if path.name == "anacrontab":
        return ANACRON
    return SYSTEM if path.parent.name == "cron.d" or (path.parent.name, path.name) == ("etc", "crontab") else USER


def read_lines(text: str, form: str) -> list[Line]:
    """All lines of a crontab."""
    return [_line(number, line, form) for number, line in enumerate(text.removesuffix("\n").split("\n"), 1)]


def _line(number: int, text: str, form: str) -> Line:  # noqa: PLR0911 - a table of cases
    stripped = text.strip()
    if not stripped:
        return Line(number, text, "empty")
    if stripped.startswith("#"):
        return Line(number, text, "comment", value=stripped.lstrip("# "))
    if (match := VARIABLE.fullmatch(text)) and not re.match(r"\s*[0-9*@]", text):
        value = match[4]
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        return Line(number, text, "variable", name=match[1] or match[2] or match[3], value=value)
    if form == ANACRON:
        return _anacron(number, text)
    words = 1 if stripped.startswith("@") else FIELDS
    pattern = r"(\S+)\s+" * words + (r"(\S+)\s+" if form == SYSTEM else "()") + r"(.*\S)"
    entry = re.fullmatch(pattern, stripped, re.ASCII)  # cron separates fields by blanks and tabs only
    fields = entry.groups()[:words] if entry else ()
    if not entry or not all(word.startswith("@") or FIELD.fullmatch(word) for word in fields):
        wanted = "five fields, a user and a command" if form == SYSTEM else "five fields and a command"
        return Line(number, text, "wrong", problem=f"not {wanted}: cron refuses it")
    user, command = entry.groups()[words:]
    if form == SYSTEM and not re.fullmatch(r"[A-Za-z_][-A-Za-z0-9_.]*", user):
        problem = f"{user} is not a user; read a user's own crontab with --format user"
        return Line(number, text, "wrong", problem=problem)
    command, stdin = split_command(command)
    return Line(number, text, "entry", when=" ".join(fields), user=user, command=command, stdin=stdin)


def _anacron(number: int, text: str) -> Line:
    entry = re.fullmatch(r"\s*(\d+|@\w+)\s+(\d+)\s+(\S+)\s+(.*\S)\s*", text, re.ASCII)
    if not entry:
        return Line(number, text, "wrong", problem="not a period, a delay, a job and a command: anacron refuses it")
    when, delay, identifier, command = entry.groups()
    # Anacron has no % and no user.
    return Line(number, text, "entry", when=when, command=command, delay=int(delay), identifier=identifier)


def split_command(text: str) -> tuple[str, str]:
    r"""A command and its standard input: the first % ends the command, others are line breaks, \% is a percent."""
    command, *lines = (part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", text))
    stdin = "\n".join(lines)
    if stdin and not stdin.endswith("\n"):
        stdin += "\n"  # cron adds it
    return command.strip(), stdin
