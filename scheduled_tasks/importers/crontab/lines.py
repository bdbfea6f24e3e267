"""A crontab, line by line: comments, variables, entries, and lines that cron would not take.

In comes a file's text and its format; out comes one `Line` for each of its lines, in order. Rules are those of
crontab(5) as Debian's cron and cronie read them, and anacrontab(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

USER, SYSTEM, ANACRON = "user", "system", "anacron"
FIELDS = 5
VARIABLE = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z_][A-Za-z0-9_]*))\s*=\s*(.*?)\s*$""")
FIELD = re.compile(r"[-0-9*,/~a-zA-Z]+")


@dataclass(frozen=True)
class Line:
    """One line: `kind` is empty, comment, variable, entry or wrong; the other fields belong to some kinds alone.

    `when` is the five fields or the @word; of an anacrontab the period, with `delay` in minutes and the job's
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
    """A crontab's format by where it stands: /etc/crontab and /etc/cron.d name a user in each line."""
    if path.name == "anacrontab":
        return ANACRON
    return SYSTEM if path.parent.name == "cron.d" or (path.parent.name, path.name) == ("etc", "crontab") else USER


def read_lines(text: str, form: str) -> list[Line]:
    """All lines of a crontab."""
    return [_line(number, line, form) for number, line in enumerate(text.splitlines(), 1)]


def _line(number: int, text: str, form: str) -> Line:  # noqa: PLR0911 - a table of cases
    stripped = text.strip()
    if not stripped:
        return Line(number, text, "empty")
    if stripped.startswith("#"):
        return Line(number, text, "comment", value=stripped.lstrip("# "))
    if (found := VARIABLE.fullmatch(text)) and not re.match(r"\s*[0-9*@]", text):
        value = found[4]
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        return Line(number, text, "variable", name=found[1] or found[2] or found[3], value=value)
    if form == ANACRON:
        return _anacron(number, text)
    words = 1 if stripped.startswith("@") else FIELDS
    pattern = r"(\S+)\s+" * words + (r"(\S+)\s+" if form == SYSTEM else "()") + r"(.*\S)"
    entry = re.fullmatch(pattern, stripped)
    fields = entry.groups()[:words] if entry else ()
    if not entry or not all(each.startswith("@") or FIELD.fullmatch(each) for each in fields):
        wanted = "five fields, a user and a command" if form == SYSTEM else "five fields and a command"
        return Line(number, text, "wrong", problem=f"not {wanted}: cron refuses it")
    user, command = entry.groups()[words:]
    if form == SYSTEM and not re.fullmatch(r"[A-Za-z_][-A-Za-z0-9_.]*", user):
        return Line(
            number, text, "wrong", problem=f"{user} is no user; a user's own crontab is read with --format user"
        )
    command, stdin = split_command(command)
    return Line(number, text, "entry", when=" ".join(fields), user=user, command=command, stdin=stdin)


def _anacron(number: int, text: str) -> Line:
    entry = re.fullmatch(r"\s*(\d+|@\w+)\s+(\d+)\s+(\S+)\s+(.*\S)\s*", text)
    if not entry:
        return Line(number, text, "wrong", problem="not a period, a delay, a job and a command: anacron refuses it")
    when, delay, identifier, command = entry.groups()
    return Line(
        number, text, "entry", when=when, command=command, delay=int(delay), identifier=identifier
    )  # anacron knows no % and no user


def split_command(text: str) -> tuple[str, str]:
    r"""A command and its standard input: the first % ends the command, others are line breaks, \% is a percent."""
    parts = [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", text)]
    return parts[0].strip(), _ended("\n".join(parts[1:]))


def _ended(text: str) -> str:
    """With a line break at its end, which cron adds where there is none."""
    return f"{text}\n" if text and not text.endswith("\n") else text
