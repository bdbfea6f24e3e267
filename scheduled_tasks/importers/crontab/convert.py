"""From crontabs to clock files: each command a job of the bundled `command` task, each line an entry of the report.

In come paths of crontabs; out come texts by path (`clocks/*.py`) and the report, which accounts for every line, in
the order of the file. Nothing is run.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scheduled_tasks.conversion_report import Difference, Entry, Report
from scheduled_tasks.importers.codegen import call, literal
from scheduled_tasks.importers.crontab.lines import ANACRON, Line, format_of, read_lines
from scheduled_tasks.importers.crontab.times import Times, anacron_times, times_of
from scheduled_tasks.options.validators import SECRET_NAME, SECRET_VALUE
from scheduled_tasks.schedule import describe
from scheduled_tasks.schedule.parser import zone_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

# A shell has to read what has any of these.
SHELL_CHARACTERS = re.compile(r"[|&;<>()$`*?\[\]#~={}!\n\\]")
BUILTINS = {"cd", "exec", "source", ".", ":", "umask", "ulimit", "export", "eval", "if", "for", "while", "command"}
NOT_THE_PROGRAM = {"test", "[", "sh", "bash", "nice", "ionice", "timeout", "sudo", "cd", "env", "exec", "command", "if",
                   "chronic", "flock", "perl", "python", "python3", "php", "true", "root", "umask"}  # fmt: skip
CRON_VARIABLES = {
    "MAILFROM": "no mail is sent",
    "CONTENT_TYPE": "no mail is sent",
    "CONTENT_TRANSFER_ENCODING": "no mail is sent",
    "RANDOM_DELAY": "anacron's random delay is left out; jitter= says one",
    "LOGNAME": "it is the user that the job runs as",
}
ASSIGNMENTS = re.compile(r"""^(\w+=("[^"]*"|'[^']*'|\S*)\s+)+""")
OCCASIONAL = re.compile(r"#?\s*(@\w+|([-0-9*,/~]+\s+){2}\S+\s+\S+\s+\S+)\s+\S")


@dataclass(frozen=True)
class Request:
    """What is asked for: the zone of the hosts that cron ran on, what paths are relative to, when, and which format.

    `form` is "" where the file's place says it.
    """

    timezone: str
    base: Path
    now: datetime
    form: str = ""


@dataclass
class _File:
    """A crontab while it is read: what its variables say so far, and the code that has come of it."""

    shown: str
    form: str
    zone: str
    request: Request
    clock: str
    variables: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    shell: str = "/bin/sh"
    home: str = ""
    start_hour: int = 3
    comments: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    constants: list[dict[str, str]] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class Imported:
    """Texts by path, and the report."""

    files: dict[str, str]
    report: Report


def import_files(paths: Iterable[Path], request: Request) -> Imported:
    """Imports crontabs."""
    files: dict[str, str] = {}
    entries: list[Entry] = []
    empty = 0
    for path in paths:
        shown = str(path.relative_to(request.base)) if path.is_relative_to(request.base) else str(path)
        if path.parent.name == "cron.d" and not re.fullmatch(r"[A-Za-z0-9_-]+", path.name):
            text = (
                "cron reads no file of cron.d whose name has anything but letters, digits, _ and -: nothing is imported"
            )
            entries.append(Entry(shown, 1, "", "note", differences=(Difference("name", text, "remark"),)))
            continue
        name = re.sub(r"[^a-z0-9_]+", "_", path.name.lower()).strip("_") or "crontab"
        name = name if f"clocks/{name}.py" not in files else f"{name}_{len(files) + 1}"
        file = _File(shown, request.form or format_of(path), request.timezone, request, name)
        for line in read_lines(path.read_text(errors="replace"), file.form):
            if line.kind == "empty":
                empty += 1
                file.comments.clear()
            else:
                _READERS[line.kind](line, file)
        entries += file.entries
        if file.ids:
            files[f"clocks/{name}.py"] = _written(file)
    report = Report("crontab", tuple(entries), tuple(_holds_for_all(empty)), tuple(files))
    return Imported(files, report)


def _holds_for_all(empty: int) -> list[str]:
    limits = (
        "a run has limits and hardening: its file system is read-only but for read_write_paths, it reaches this "
        "machine alone unless allow_network says more (docs/reference/clock-files.md)"
    )
    missed = (
        "a run that fell due while the machine was off was lost with cron; here it is caught up once: write "
        "misfire_grace_time=1 for a job that must not"
    )
    written = "what a command writes is not mailed: each line is a log line; a status other than 0 fails the run"
    return [limits, missed, written, f"empty lines are not listed: {empty}"]


def _note(  # noqa: PLR0913, PLR0917 - an entry has these parts
    line: Line, file: _File, outcome: str, kind: str, text: str, weight: str = "remark"
) -> None:
    difference = Difference(kind, text, weight)
    file.entries.append(Entry(file.shown, line.number, line.text.strip(), outcome, differences=(difference,)))


def _read_comment(line: Line, file: _File) -> None:
    if OCCASIONAL.match(line.text.strip().lstrip("#")) and not line.text.strip().startswith("# "):
        _note(line, file, "kept", "comment", "a job that is switched off, it seems: not imported")
        return
    file.comments.append(line.value)
    _note(line, file, "kept", "comment", "a comment; it stands above the job that follows it directly")


def _read_wrong(line: Line, file: _File) -> None:
    _note(line, file, "refused", "line", line.problem, "refused")


def _read_variable(line: Line, file: _File) -> None:
    name, value = line.name, line.value
    if name == "MAILTO":
        who = f"no mail goes to {value}" if value else "no mail is sent, as here"
        _note(line, file, "kept", "mail", f"{who}: an alarm tells of failed runs")
    elif name == "CRON_TZ":
        zone = zone_name(value)
        file.zone = zone or file.zone
        _note(
            line, file, "kept", "zone", f"the times below are in {value}, as cronie reads it; Debian's cron 3.0 doesn't"
        )
    elif name == "SHELL":
        file.shell = value
        _note(line, file, "kept", "shell", f"commands that need a shell get {value}")
    elif name == "HOME":
        file.home = value
        file.variables[name] = value
        _note(line, file, "kept", "home", "commands run in this directory")
    elif name == "START_HOURS_RANGE" and (found := re.match(r"\d+", value)):
        file.start_hour = int(found[0])
        _note(line, file, "kept", "anacron", f"jobs run from {file.start_hour}:00 on")
    elif name in CRON_VARIABLES:
        _note(line, file, "kept", "variable", CRON_VARIABLES[name])
    elif SECRET_NAME.search(name) or SECRET_VALUE.search(value):
        file.secrets.add(name)
        text = f"{name} looks like a secret, and everybody can read a unit: left out; give the job a credential"
        difference = Difference("secret", text, "refused")
        shown = f"{name}=…"
        file.entries.append(Entry(file.shown, line.number, shown, "refused", differences=(difference,)))
    else:
        file.variables[name] = value
        text = "in the environment of the jobs below"
        if "$" in value:
            text += "; cron doesn't replace what begins with $, nor is it replaced here"
        _note(line, file, "kept", "variable", text)


def _read_entry(line: Line, file: _File) -> None:
    anacron = file.form == ANACRON
    zone, now = file.zone, file.request.now
    found = anacron_times(line, file.start_hour, zone, now) if anacron else times_of(line, zone, now)
    differences = []
    if len(found) > 1:
        differences.append(
            Difference("or", "cron runs it when day or weekday matches: two jobs, which never meet", "remark")
        )
    if line.user == "root":
        differences.append(
            Difference("user", "it ran as root; a job never does: it runs as the configured user, or as user= says")
        )
    if line.stdin:
        text = "a % that has no \\ before it ends the command: what follows is its standard input, as with cron"
        differences.append(Difference("stdin", text, "remark"))
    if file.secrets:
        differences.append(Difference("secret", f"it doesn't get {', '.join(sorted(file.secrets))}"))
    name = _name(line)
    for each in found:
        _add(line, file, each, name, (*differences, *each.differences))
    file.comments.clear()


def _add(line: Line, file: _File, times: Times, name: str, differences: tuple[Difference, ...]) -> None:
    wanted, number = name, 2
    while wanted in file.ids:
        wanted, number = f"{name}_{number}", number + 1
    due = describe(times.trigger) if times.trigger is not None else ""
    entry = Entry(
        file.shown, line.number, line.text.strip(), "", f"{file.clock}/{wanted}", due, differences
    ).with_outcome()
    file.entries.append(entry)
    if entry.outcome == "refused":
        file.code.append(f"# Not imported, the report says why: {file.shown}:{line.number} {line.when} {line.command}")
        return
    file.ids.add(wanted)
    words = ["command.run", literal(times.kind), f"[{_argv(line, file)}]"]
    if more := _kwargs(line, file):
        words.append(f"kwargs={{{', '.join(more)}}}")
    words += [f"id={literal(wanted)}", f"name={literal(line.command[:120])}"]
    words += [f"{key}={literal(value)}" for key, value in times.fields]
    if file.zone != file.request.timezone:
        words.append(f"timezone={literal(file.zone)}")
    if line.user and line.user != "root":
        words.append(f"user={literal(line.user)}")
    file.code += [*(f"# {text}".rstrip() for text in file.comments), *call("scheduler.add_job", words)]
    file.comments.clear()


def _argv(line: Line, file: _File) -> str:
    """The argument list as code; by a shell where one has to read the command."""
    if not SHELL_CHARACTERS.search(line.command) and line.command.split()[0] not in BUILTINS:
        try:
            return literal(shlex.split(line.command))
        except ValueError:
            pass
    return literal([file.shell, "-c", line.command])


def _kwargs(line: Line, file: _File) -> list[str]:
    found = []
    if file.variables:
        if file.variables not in file.constants:
            file.constants.append(dict(file.variables))
        found.append(f'"environment": {_constant(file.constants.index(file.variables))}')
    if line.stdin:
        found.append(f'"stdin": {literal(line.stdin)}')
    if file.home:
        found.append(f'"directory": {literal(file.home)}')
    return found


def _name(line: Line) -> str:
    """A job's id by the program that its command runs."""
    if line.identifier:
        return re.sub(r"[^a-z0-9_]+", "_", line.identifier.lower()).strip("_") or "job"
    command = ASSIGNMENTS.sub("", line.command)
    words = re.split(r"[\s;&|(){}\"'`]+", command)
    for word in words:
        base = word.rpartition("/")[2].partition(".")[0].lower()
        name = re.sub(r"[^a-z0-9_]+", "_", base).strip("_")
        if name and name not in NOT_THE_PROGRAM and not re.match(r"[-$=\d!]", word) and "=" not in word:
            after_test = word.startswith("/") and re.search(rf"(test|\[)\s+-\w\s+{re.escape(word)}", line.command)
            if not after_test or line.command.count(word) > 1 or name == words[-1]:
                return name
    return "job"


def _written(file: _File) -> str:
    lines = [f'"""The jobs of {file.shown}."""', "", "from scheduled_tasks import Clock"]
    lines += ["from scheduled_tasks.bundled import command", ""]
    lines += call("scheduler = Clock", [f"timezone={literal(file.request.timezone)}"])
    for number, variables in enumerate(file.constants):
        name = _constant(number)
        entries = [f"{literal(key)}: {literal(value)}" for key, value in variables.items()]
        one = f"{name} = {{{', '.join(entries)}}}"
        lines += [one] if len(one) <= 88 else [f"{name} = {{", *(f"    {each}," for each in entries), "}"]  # noqa: PLR2004
    return "\n".join([*lines, *file.code]) + "\n"


def _constant(number: int) -> str:
    return f"ENVIRONMENT_{number + 1}" if number else "ENVIRONMENT"


_READERS = {"comment": _read_comment, "wrong": _read_wrong, "variable": _read_variable, "entry": _read_entry}
