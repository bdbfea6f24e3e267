"""Import crontabs: each command becomes a job of the bundled `command` task in a clock file, `clocks/*.py`.

The report accounts for every line, in the order of the file. Nothing is run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from scheduled_tasks.conversion_report import Difference, Entry, Report
from scheduled_tasks.importers.codegen import LINE_LENGTH, call_lines, literal
from scheduled_tasks.importers.crontab.assumptions import assumptions
from scheduled_tasks.importers.crontab.lines import ANACRON, Line, format_of, read_lines
from scheduled_tasks.importers.crontab.triggers import LineTrigger, anacron_triggers, triggers_of
from scheduled_tasks.importers.read_back import faults_of
from scheduled_tasks.importers.request import ImportRequest, ImportResult, identifier, module_name, unique
from scheduled_tasks.options.validators import SECRET_NAME, SECRET_VALUE
from scheduled_tasks.schedule import Trigger, describe
from scheduled_tasks.schedule.zone import why_no_zone, zone_name

# A command with any of these needs a shell.
SHELL_CHARACTERS = re.compile(r"[|&;<>()$`*?\[\]#~={}!\n\\]")
BUILTINS = {"cd", "exec", "source", ".", ":", "umask", "ulimit", "export", "eval", "if", "for", "while", "command"}
NOT_THE_PROGRAM = {"test", "[", "sh", "bash", "nice", "ionice", "timeout", "sudo", "cd", "env", "exec", "command", "if",
                   "chronic", "flock", "perl", "python", "python3", "php", "true", "root", "umask"}  # fmt: skip
CRON_VARIABLES = {
    "MAILFROM": "no mail is sent",
    "CONTENT_TYPE": "no mail is sent",
    "CONTENT_TRANSFER_ENCODING": "no mail is sent",
    "LOGNAME": "it names the user that the job runs as",
}
ASSIGNMENTS = re.compile(r"""^(\w+=("[^"]*"|'[^']*'|\S*)\s+)+""")
COMMENTED_OUT_JOB = re.compile(r"#?\s*(@\w+|([-0-9*,/~]+\s+){2}\S+\s+\S+\s+\S+)\s+\S")


@dataclass
class _File:
    """A crontab while it is read: its variables so far, and the code and entries made from it.

    `code` are its lines for each job, `triggers` those that the jobs must have. `doubts` are what was assumed about the
    file or left out of it so far: each line below has these differences.
    """

    shown_path: str
    form: str
    zone: str
    request: ImportRequest
    clock: str
    variables: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    shell: str = "/bin/sh"
    home: str = ""
    start_hour: int = 3
    last_line_ends: bool = True
    doubts: dict[str, Difference] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    constants: list[dict[str, str]] = field(default_factory=list)
    code: list[tuple[str, list[str]]] = field(default_factory=list)
    triggers: dict[str, Trigger | None] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


def import_files(paths: Iterable[Path], request: ImportRequest) -> ImportResult:
    """Import crontabs."""
    files: dict[str, str] = {}
    entries: list[Entry] = []
    empty = 0
    for path in paths:
        shown_path = str(path.relative_to(request.base)) if path.is_relative_to(request.base) else str(path)
        if path.parent.name == "cron.d" and not re.fullmatch(r"[A-Za-z0-9_-]+", path.name):
            allowed = "letters, digits, _ and -"
            text = f"cron skips files of cron.d whose names have anything but {allowed}: nothing is imported"
            entries.append(Entry(shown_path, 1, "", "note", differences=(Difference("name", text, "remark"),)))
            continue
        name = module_name(path.name, "crontab")
        name = name if f"clocks/{name}.py" not in files else f"{name}_{len(files) + 1}"
        file = _File(shown_path, request.form or format_of(path), request.timezone, request, name)
        text = path.read_bytes().decode(errors="replace")
        if not request.is_zone_given:
            assumed = f"it has the zone of the host that it ran on, taken to be the configured one, {request.timezone}"
            file.doubts["zone"] = Difference(
                "zone", assumed, instead="import with --timezone and the zone of that host"
            )
        for line in read_lines(text, file.form):
            file.last_line_ends = text.endswith("\n") or line.number < text.count("\n") + 1
            if line.kind == "empty":
                empty += 1
                file.comments.clear()
            else:
                _READERS[line.kind](line, file)
        _read_back(file)
        entries += file.entries
        if file.triggers:
            files[f"clocks/{name}.py"] = _clock_text(file)
    return ImportResult(files, Report("crontab", tuple(entries), tuple(_general_remarks(empty)), tuple(files)))


def _read_back(file: _File) -> None:
    """Refuse the jobs whose code this project doesn't read as it was meant."""
    if not file.triggers:
        return
    faults = faults_of(_clock_text(file), file.clock, "", file.request.now, file.triggers)
    for index, entry in enumerate(file.entries):
        name = entry.job.partition("/")[2]
        problem = faults.get(name, faults.get("", "")) if name in file.triggers else ""
        if problem:
            text = f"what was written for it is not a job: {problem}"
            differences = (*entry.differences, Difference("generated", text, "refused"))
            file.entries[index] = replace(entry, differences=differences).with_outcome()
            file.code = [(job, lines) for job, lines in file.code if job != name]
            del file.triggers[name]


def _general_remarks(empty: int) -> list[str]:
    limits = (
        "a run has limits and hardening: its file system is read-only except for read_write_paths, and it reaches only "
        "this machine unless allow_network permits more (docs/reference/clock-files.md)"
    )
    missed = (
        "cron lost a run that became due while the machine was off; here it is caught up once: write "
        "misfire_grace_time=1 for a job that must not be"
    )
    output = "output is not mailed: each line of it is a log line; an exit status other than 0 fails the run"
    return [limits, missed, output, f"empty lines are not listed: {empty}"]


def _note(  # noqa: PLR0913, PLR0917 - an entry has these parts
    line: Line, file: _File, outcome: str, kind: str, text: str, weight: str = "remark"
) -> None:
    difference = Difference(kind, text, weight)
    file.entries.append(Entry(file.shown_path, line.number, line.text.strip(), outcome, differences=(difference,)))


def _read_comment(line: Line, file: _File) -> None:
    if COMMENTED_OUT_JOB.match(line.text.strip().lstrip("#")) and not line.text.strip().startswith("# "):
        _note(line, file, "kept", "comment", "probably a job that is switched off: not imported")
        return
    file.comments.append(line.value)
    _note(line, file, "kept", "comment", "a comment; kept above the job that directly follows it")


def _read_wrong(line: Line, file: _File) -> None:
    _note(line, file, "refused", "line", line.problem, "refused")


def _read_variable(line: Line, file: _File) -> None:  # noqa: C901 - a table of variables
    name, value = line.name, line.value
    if name == "MAILTO":
        text = f"no mail goes to {value}" if value else "no mail is sent, as here"
        _note(line, file, "kept", "mail", f"{text}: an alarm reports failed runs")
    elif name == "CRON_TZ":
        _read_zone(line, file)
    elif name == "SHELL":
        file.shell = value
        _note(line, file, "kept", "shell", f"commands that need a shell run in {value}")
    elif name == "HOME":
        file.home = value
        file.variables[name] = value
        _note(line, file, "kept", "home", "commands run in this directory")
        if not value.startswith("/"):
            file.doubts["home"] = Difference("home", f"HOME={value} is no absolute path: cron starts it elsewhere")
    elif name == "RANDOM_DELAY":
        text = f"RANDOM_DELAY={value}: the random delay of up to {value} minutes is left out; set jitter= for one"
        _note(line, file, "kept", "variable", text)
        file.doubts["delay"] = Difference("delay", text)
    elif name == "START_HOURS_RANGE" and (match := re.match(r"[0-9]+", value)):
        file.start_hour = int(match[0])
        _note(line, file, "kept", "anacron", f"jobs run from {file.start_hour}:00 on")
    elif name in CRON_VARIABLES:
        _note(line, file, "kept", "variable", CRON_VARIABLES[name])
    elif SECRET_NAME.search(name) or SECRET_VALUE.search(value):
        file.secrets.add(name)
        text = f"it doesn't get {', '.join(sorted(file.secrets))}"
        file.doubts["secret"] = Difference("secret", text)
        text = f"{name} looks like a secret, and everybody can read a unit: left out; use a credential for it"
        _note(replace(line, text=f"{name}=…"), file, "refused", "secret", text, "refused")
    else:
        file.variables[name] = value
        text = "in the environment of the jobs below"
        if "$" in value:
            text += "; as in cron, $ is not expanded"
        _note(line, file, "kept", "variable", text)


def _read_zone(line: Line, file: _File) -> None:
    """CRON_TZ: cronie's zone of the lines below, if cronie ran them."""
    zone = None if why_no_zone(line.value) else zone_name(line.value)
    text = f"the times below are in {line.value}, as in cronie; Debian's cron 3.0 ignores CRON_TZ"
    _note(line, file, "kept", "zone", text if zone else f"{line.value} is not a zone")
    file.doubts.pop("zone", None)
    if zone is None:
        text = f"its zone isn't known: CRON_TZ={line.value} is not a zone"
        file.doubts["zone"] = Difference("zone", text, "refused", instead="write for example CRON_TZ=Europe/Paris")
    elif zone != file.request.timezone:
        text = f"the zone is taken to be {zone}, CRON_TZ, as in cronie; Debian's cron 3.0 ignores that line"
        file.doubts["zone"] = Difference("zone", text)
    file.zone = zone or file.zone


def _read_entry(line: Line, file: _File) -> None:
    anacron = file.form == ANACRON
    zone, now = file.zone, file.request.now
    triggers = anacron_triggers(line, file.start_hour, zone, now) if anacron else triggers_of(line, zone, now)
    differences = [*file.doubts.values(), *assumptions(line, file.form, is_given=bool(file.request.form))]
    if not file.last_line_ends:
        text = "no line end after it: Debian's cron doesn't run such a line; it is taken for one that runs"
        differences.append(Difference("line", text))
    if len(triggers) > 1:
        text = "cron runs it when day or weekday matches: two jobs, which never run on the same day"
        differences.append(Difference("or", text, "remark"))
    if line.user == "root":
        text = "it ran as root; a job never does: it runs as the configured user or the job's user="
        differences.append(Difference("user", text))
    if line.stdin:
        text = "a % without \\ before it ends the command: what follows is its standard input, as in cron"
        differences.append(Difference("stdin", text, "remark"))
    name = _name(line)
    for trigger in triggers:
        _add(line, file, trigger, name, (*differences, *trigger.differences))
    file.comments.clear()


def _add(line: Line, file: _File, trigger: LineTrigger, name: str, differences: tuple[Difference, ...]) -> None:
    wanted = unique(name, file.ids)
    job, due = f"{file.clock}/{wanted}", describe(trigger.trigger) if trigger.trigger is not None else ""
    entry = Entry(file.shown_path, line.number, line.text.strip(), "", job, due, differences).with_outcome()
    file.entries.append(entry)
    if entry.outcome == "refused":
        text = f"# Not imported, see the report: {file.shown_path}:{line.number} {line.when} {line.command}"
        file.code.append(("", [text]))
        return
    file.ids.add(wanted)
    words = ["command.run", literal(trigger.kind), f"[{_argv(line, file)}]"]
    if kwargs := _kwargs(line, file):
        words.append(f"kwargs={{{', '.join(kwargs)}}}")
    words += [f"id={literal(wanted)}", f"name={literal(_in_one_line(line.command))}"]
    words += [f"{key}={literal(value)}" for key, value in trigger.fields]
    if file.zone != file.request.timezone:
        words.append(f"timezone={literal(file.zone)}")
    if line.user and line.user != "root":
        words.append(f"user={literal(line.user)}")
    lines = [*(f"# {text}".rstrip() for text in file.comments), *call_lines("scheduler.add_job", words)]
    file.code.append((wanted, lines))
    file.triggers[wanted] = trigger.trigger
    file.comments.clear()


def _argv(line: Line, file: _File) -> str:
    """The argument list as code; run by a shell if the command needs one."""
    if not SHELL_CHARACTERS.search(line.command) and line.command.split()[0] not in BUILTINS:
        try:
            return literal(shlex.split(line.command))
        except ValueError:
            pass
    return literal([file.shell, "-c", line.command])


def _in_one_line(command: str) -> str:
    """A command as the description of a unit, which has no control characters."""
    return " ".join(command.split())[:120]


def _kwargs(line: Line, file: _File) -> list[str]:
    kwargs = []
    if file.variables:
        if file.variables not in file.constants:
            file.constants.append(dict(file.variables))
        kwargs.append(f'"environment": {_constant(file.constants.index(file.variables))}')
    if line.stdin:
        kwargs.append(f'"stdin": {literal(line.stdin)}')
    if file.home:
        kwargs.append(f'"directory": {literal(file.home)}')
    return kwargs


def _name(line: Line) -> str:
    """A job's id by the program that its command runs."""
    if line.identifier:
        return identifier(line.identifier) or "job"
    command = ASSIGNMENTS.sub("", line.command)
    words = re.split(r"[\s;&|(){}\"'`]+", command)
    for word in words:
        name = identifier(word.rpartition("/")[2].partition(".")[0])
        if name and name not in NOT_THE_PROGRAM and not re.match(r"[-$=\d!]", word) and "=" not in word:
            after_test = word.startswith("/") and re.search(rf"(test|\[)\s+-\w\s+{re.escape(word)}", line.command)
            if not after_test or line.command.count(word) > 1 or name == words[-1]:
                return name
    return "job"


def _clock_text(file: _File) -> str:
    lines = [f'"""The jobs of {file.shown_path}."""', "", "from scheduled_tasks import Clock"]
    lines += ["from scheduled_tasks.bundled import command", ""]
    lines += call_lines("scheduler = Clock", [f"timezone={literal(file.request.timezone)}"])
    for number, variables in enumerate(file.constants):
        name = _constant(number)
        entries = [f"{literal(key)}: {literal(value)}" for key, value in variables.items()]
        line = f"{name} = {{{', '.join(entries)}}}"
        lines += [line] if len(line) <= LINE_LENGTH else [f"{name} = {{", *(f"    {entry}," for entry in entries), "}"]
    return "\n".join([*lines, *(line for _, code in file.code for line in code)]) + "\n"


def _constant(number: int) -> str:
    return f"ENVIRONMENT_{number + 1}" if number else "ENVIRONMENT"


_READERS = {"comment": _read_comment, "wrong": _read_wrong, "variable": _read_variable, "entry": _read_entry}
