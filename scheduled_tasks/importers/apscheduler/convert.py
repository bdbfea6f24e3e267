"""Import APScheduler clock files: from their paths, and those of Procfiles, to new clock files and the report.

The texts written are `clocks/*.py` and `tasks/*.py`. Files are read, not run, unless the request says `execute`. This
folder's name doesn't shadow the package apscheduler, which is always imported absolutely.
"""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from scheduled_tasks.conversion_report import Difference, Entry, Report
from scheduled_tasks.errors import UsageError
from scheduled_tasks.importers.apscheduler.clock_source import read_source
from scheduled_tasks.importers.apscheduler.evidence import Evidence, Fact, assumed_settings, zones_of
from scheduled_tasks.importers.apscheduler.execute import record
from scheduled_tasks.importers.apscheduler.functions import Target
from scheduled_tasks.importers.apscheduler.jobs import ClockContext, ImportedJob, import_call
from scheduled_tasks.importers.apscheduler.model import Scheduler, WebApplication, why_unknown
from scheduled_tasks.importers.apscheduler.source import ClockSource
from scheduled_tasks.importers.codegen import call_lines, import_lines, literal
from scheduled_tasks.importers.dependencies import calls_left_out, lacking_modules
from scheduled_tasks.importers.procfile import is_procfile, read_procfile
from scheduled_tasks.importers.read_back import OWN, faults_of
from scheduled_tasks.importers.request import ImportRequest, ImportResult, module_name, unique
from scheduled_tasks.importers.tasks_module import tasks_module

Clocks = Iterable[tuple[str, Path]]
LEFT_OUT = "not imported: what a task needs before it runs belongs in the application's factory or in the task"
MENTIONS = re.compile(r"apscheduler|\.add_job\b|\.scheduled_job\b", re.IGNORECASE)
NEWER = re.compile(r"type \w+.*=|(async )?def \w+\[|class \w+\[|.*\bt[\"']|lazy (import|from) ")
IN_A_WEB_APPLICATION = {"BackgroundScheduler", "AsyncIOScheduler"}


@dataclass
class _Progress:
    """The result so far, as in ImportResult, with the names of clocks and remarks about all jobs."""

    request: ImportRequest
    files: dict[str, str] = field(default_factory=dict)
    clocks: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    general: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    lacking: set[str] = field(default_factory=set)

    def shown_path(self, path: Path) -> str:
        """A path as the report names it."""
        base = self.request.base
        return str(path.relative_to(base)) if path.is_relative_to(base) else path.name


def import_files(
    paths: Iterable[Path], request: ImportRequest, watched: Callable[[list[tuple[str, Path]]], Clocks] = iter
) -> ImportResult:
    """Import clock files; `watched` passes each clock's name and file on, and can show how far the import is.

    Raises:
        UsageError: a file is not Python, or a zone is not given.
        ConfigurationError: a file that may be run fails.
    """
    progress = _Progress(request)
    for name, path in watched(_clock_files(paths, progress)):
        _import_file(name, path, progress)
    general = [*_general_remarks(progress.entries), *dict.fromkeys(progress.general)]
    report = Report("APScheduler", tuple(progress.entries), tuple(general), tuple(progress.files))
    return ImportResult(progress.files, report, tuple(progress.problems), tuple(sorted(progress.lacking)))


def _clock_files(paths: Iterable[Path], progress: _Progress) -> list[tuple[str, Path]]:
    """The clocks' names and files; those of a Procfile have the names of its processes."""
    names: dict[Path, str] = {}
    for path in paths:
        if is_procfile(path):
            processes = read_procfile(path, progress.shown_path(path))
            progress.entries += processes.entries
            names |= {file: name for name, file in processes.files}
        else:
            names.setdefault(path, path.stem)
    return [(_clock_name(name), path) for path, name in names.items()]


def _clock_name(name: str) -> str:
    return module_name(name, "clock")


def _import_file(name: str, path: Path, progress: _Progress) -> None:
    shown_path, request = progress.shown_path(path), progress.request
    try:
        with tokenize.open(path) as file:  # as Python itself reads it: a coding line, a byte order mark
            source = read_source(file.read(), path, _roots(path, request))
    except SyntaxError as error:
        progress.entries.append(_not_parsed(error, path, shown_path))
        return
    except ValueError as error:
        raise UsageError(f"{path} is not Python: {error}") from error
    schedulers = record(path, source, request.timezone, request.calls) if request.execute else source.schedulers
    with_jobs = [scheduler for scheduler in schedulers if scheduler.calls]
    progress.lacking |= lacking_modules(source.tree, path, request.base)
    if request.execute and (problem := _why_nothing_was_added(schedulers)):
        progress.problems.append(f"{shown_path}: {problem}")
    variables = _environment_by_line(source) if request.execute else {}
    entries: list[Entry] = []
    moved: list[Target] = []
    for scheduler in with_jobs:
        clock_name = name if len(with_jobs) == 1 else f"{name}_{_clock_name(scheduler.name)}"
        own_name = _own_package_of_our_name(path, request)
        clock = ClockContext(
            unique(clock_name, progress.clocks), path, shown_path, source, scheduler,
            zones_of(scheduler, source.host_zone, request, shown_path), request.domains,
            _roots(path, request), request.now,
            request.assume_defaults, (*assumed_settings(scheduler), *own_name),
        )  # fmt: skip
        jobs = _read_back([job for call in scheduler.calls for job in import_call(call, clock)], clock)
        entries += [_with_environment(job.entry, variables.get(job.entry.line)) for job in jobs]
        moved += clock.targets.values()
        _write_clock(clock, jobs, progress)
    if not with_jobs:
        entries.append(_note(shown_path, 1, "", "empty", "the file adds no job"))
    asides = dict.fromkeys(source.asides)
    entries += [_note(shown_path, aside.line, aside.source, "scheduler", aside.text) for aside in asides]
    if with_jobs:
        calls = [node for node in calls_left_out(source, moved) if node.lineno not in source.applied]
        entries += [_note(shown_path, node.lineno, ast.unparse(node), "left_out", LEFT_OUT) for node in calls]
    progress.entries += sorted(entries, key=lambda entry: entry.line)


def _why_nothing_was_added(schedulers: list[Scheduler]) -> str:
    """Why the run of a file added none of the jobs that reading found; "" if it added one, or there are none."""
    uncalled = {call.uncalled for scheduler in schedulers for call in scheduler.calls}
    if not uncalled or "" in uncalled:
        return ""
    names = sorted(uncalled)
    what = f"{', '.join(f'{name}()' for name in names)} would, and nobody called {'them' if names[1:] else 'it'}"
    calls = " ".join(f"--call {name}" for name in names)
    return f"its run added no job: {what}: import with --execute {calls}; for now its jobs are imported as read"


def _roots(path: Path, request: ImportRequest) -> list[Path]:
    """Where the user's own modules are looked for: beside the file, beside its package, in the project."""
    package = path.parent
    while (package / "__init__.py").is_file():
        package = package.parent
    return list(dict.fromkeys([path.parent, package, request.base]))


def _own_package_of_our_name(path: Path, request: ImportRequest) -> tuple[Fact, ...]:
    """What a user's own package called scheduled_tasks means for every job: where it is found first, this one isn't."""
    for root in _roots(path, request):
        folder = root / OWN
        if (folder / "__init__.py").is_file() and not (folder / "clock_job.py").is_file():
            text = f"the project has a package {OWN} of its own, which hides this one where both can be imported"
            instead = "rename yours first: docs/how-to/migrate.md, A package of the same name"
            return (Fact(None, Evidence.ASSUMED, text, "package", instead),)
    return ()


def _not_parsed(error: SyntaxError, path: Path, shown_path: str) -> Entry:
    """The entry of a file that this Python can't parse.

    Raises:
        UsageError: it doesn't mention APScheduler, so it is no clock.
    """
    text = path.read_text(errors="replace")
    if not MENTIONS.search(text):
        raise UsageError(f"{path} is not Python: {error}") from error
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    line = error.lineno or 1
    source = text.splitlines()[line - 1].strip() if text else ""
    problem = f"{version} can't parse it: {error.msg}"
    newer = NEWER.match(source) or "f-string" in error.msg
    instead = f"it is written for a newer Python than {version}: import it with that one" if newer else "correct it"
    if error.msg.startswith("Missing parentheses") or "except" in source:
        instead = "it is written for Python 2: convert it with 2to3, or for a newer Python: import it with that one"
    return Entry(
        shown_path, line, source, "refused", differences=(Difference("syntax", problem, "refused", instead=instead),)
    )


def _read_back(jobs: list[ImportedJob], clock: ClockContext) -> list[ImportedJob]:
    """The jobs, of which those are refused whose code this project doesn't read as it was meant."""
    if not any(job.code for job in jobs):
        return jobs
    triggers = {job.entry.job.partition("/")[2]: job.trigger for job in jobs if job.code}
    faults = faults_of(_clock_text(clock, jobs), clock.name, clock.domains, clock.now, triggers)
    if tasks := _tasks_text(clock):
        try:
            ast.parse(tasks)
        except SyntaxError as error:
            faults[""] = f"tasks/{clock.name}.py would not be Python: {error}"
    problems = [faults.get(job.entry.job.partition("/")[2], faults.get("", "")) if job.code else "" for job in jobs]
    return [job.refused(problem) if problem else job for job, problem in zip(jobs, problems, strict=True)]


def _note(shown_path: str, line: int, source: str, kind: str, text: str) -> Entry:
    return Entry(shown_path, line, source, "note", differences=(Difference(kind, text, "remark"),))


def _write_clock(clock: ClockContext, jobs: list[ImportedJob], progress: _Progress) -> None:
    """Add a scheduler's clock file and tasks' module to the result, with the report's remarks on both."""
    source, scheduler, request, general = clock.source, clock.scheduler, progress.request, progress.general
    if scheduler.made and scheduler.settings.get("timezone") is None:
        text = f"the scheduler had no timezone and used the host's, taken to be {request.timezone}"
        general.append(f"{clock.shown_path}: {text}")
    if any(job.code for job in jobs):
        progress.clocks.add(clock.name)
        progress.files[f"clocks/{clock.name}.py"] = _clock_text(clock, jobs)
        if text := _tasks_text(clock):
            progress.files[f"tasks/{clock.name}.py"] = text
            general.append(f"tasks/{clock.name}.py belongs into the package {request.domains}")
        if clock.uses_app:
            general.append(_about_the_application(source))
    if scheduler.kind in IN_A_WEB_APPLICATION and any(
        text.startswith(("Flask(", "FastAPI(")) for text in _applications(source)
    ):
        text = (
            f"replicas: the {scheduler.kind} in the web application's file is started by each worker of the web "
            "server, so each job ran once per worker; here it runs once"
        )
        general.append(f"{clock.shown_path}: {text}")


def _environment_by_line(source: ClockSource) -> dict[int, str]:
    """By line, the environment variables on which a job depended when the file was run."""
    variables = {}
    for scheduler in source.schedulers:
        for call in scheduler.calls:
            reasons = [call.undecided, *map(why_unknown, call.arguments.values())]
            names = {name for reason in reasons for name in re.findall(r"environment variable (\w+)", reason)}
            if names:
                variables[call.line] = ", ".join(sorted(names))
    return variables


def _with_environment(entry: Entry, variables: str | None) -> Entry:
    if not variables:
        return entry
    text = f"the clock file now contains what came from {variables} in the environment of this import"
    return replace(entry, differences=(*entry.differences, Difference("environment", text))).with_outcome()


def _clock_text(clock: ClockContext, jobs: list[ImportedJob]) -> str:
    own = {"Clock"} | ({"app"} if clock.uses_app else set())
    lines = [f'"""The jobs of {clock.shown_path}."""', ""]
    lines += [*import_lines(clock.imports), ""] if clock.imports else []
    lines += [*import_lines({"scheduled_tasks": own}), ""]
    lines += call_lines("scheduler = Clock", [f"timezone={literal(clock.zones.clock.value)}"])
    for job in jobs:
        comment = f"# Not imported, see the report: {clock.shown_path}:{job.entry.line} {job.entry.job}".rstrip()
        lines += job.code or [comment]
    return "\n".join(lines) + "\n"


def _tasks_text(clock: ClockContext) -> str:
    opening = f"The tasks of the clock {clock.name} that were in {clock.path.name}, or not in {clock.domains}."
    return tasks_module(clock.source, clock.path, clock.targets.values(), opening)


def _applications(source: ClockSource) -> list[str]:
    return [value.text for value in source.names.values() if isinstance(value, WebApplication)]


def _about_the_application(source: ClockSource) -> str:
    made = next(iter(_applications(source)), "create_app()")
    setting = f'app = "{made}"' if ":" in made else f'app = "module:factory", which the file writes as {made}'
    return f"jobs receive the application: the configuration needs {setting}"


def _general_remarks(entries: list[Entry]) -> list[str]:
    if not any(entry.job for entry in entries):
        return []
    grace = (
        "a run that became due while the clock was down was lost, and one that would have started more than a second "
        "late was dropped (misfire_grace_time is 1 by default); here it is caught up once: write misfire_grace_time=1 "
        "for a job that must not be"
    )
    return [grace, "each run is its own process: nothing stays in memory from one run to the next"]
