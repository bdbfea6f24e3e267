"""From APScheduler clock files to clock files of this project: the whole of an import.

In come paths of clock files and Procfiles; out come texts by path (`clocks/*.py`, `tasks/*.py`) and the report. Files
are read, not run, but for those whose owner says `execute`. Not named for what it imports from: nothing here shadows
the package, whose name is always absolute.
"""

from __future__ import annotations

import ast
import re
import tokenize
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scheduled_tasks.conversion_report import Difference, Entry, Report
from scheduled_tasks.errors import UsageError
from scheduled_tasks.importers.apscheduler.clock_source import read_source
from scheduled_tasks.importers.apscheduler.execute import record
from scheduled_tasks.importers.apscheduler.functions import Target
from scheduled_tasks.importers.apscheduler.jobs import ClockContext, ImportedJob, judge
from scheduled_tasks.importers.apscheduler.triggers import Zones
from scheduled_tasks.importers.apscheduler.values import ClockSource, Scheduler, Value, WebApplication, why_unknown
from scheduled_tasks.importers.codegen import call as code_of_call
from scheduled_tasks.importers.codegen import import_lines, literal
from scheduled_tasks.importers.procfile import is_procfile, read_procfile
from scheduled_tasks.importers.tasks_module import not_taken_over, tasks_module
from scheduled_tasks.schedule.parser import zone_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path


NOT_TAKEN = "not taken over: what a task needs before it runs belongs into the application's factory, or into the task"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        domains: the package that the tasks are, or will be, in.
        timezone: the zone of the hosts that the clocks ran on; "" where nobody says it.
        base: what paths in the report are relative to, and where modules are looked for.
        now: what dates in the report count from.
        execute: whether the files may be run.
    """

    domains: str
    timezone: str
    base: Path
    now: datetime
    execute: bool = False


@dataclass(frozen=True)
class Imported:
    """Texts by path, the report, and each job by its name with APScheduler's own trigger."""

    files: dict[str, str]
    report: Report


def import_files(paths: Iterable[Path], request: Request) -> Imported:
    """Imports clock files.

    Raises:
        UsageError: a file is no Python, or a zone is nowhere said.
        ConfigurationError: a file that may be run fails.
    """
    entries: list[Entry] = []
    files: dict[str, str] = {}
    general: list[str] = []
    for name, path in _clock_files(paths, request, entries):
        _import_one(name, path, request, files, entries, general)
    general = [*_holds_for_all(entries), *dict.fromkeys(general)]
    return Imported(files, Report("APScheduler", tuple(entries), tuple(general), tuple(files)))


def _clock_files(paths: Iterable[Path], request: Request, entries: list[Entry]) -> list[tuple[str, Path]]:
    found: dict[Path, str] = {}
    for path in paths:
        if is_procfile(path):
            processes = read_procfile(path, _shown(path, request))
            entries += processes.entries
            found |= {source: name for name, source in processes.files}
        else:
            found.setdefault(path, path.stem)
    return [(_clock_name(name), path) for path, name in found.items()]


def _clock_name(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "clock"


def _shown(path: Path, request: Request) -> str:
    return str(path.relative_to(request.base)) if path.is_relative_to(request.base) else path.name


def _import_one(  # noqa: PLR0913, PLR0917 - what one file adds to
    name: str, path: Path, request: Request, files: dict[str, str], entries: list[Entry], general: list[str]
) -> None:
    shown = _shown(path, request)
    try:
        with tokenize.open(path) as file:  # as Python itself reads it: a coding line, a byte order mark
            source = read_source(file.read(), str(path))
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{path} is not Python: {error}") from error
    schedulers = record(path, source, request.timezone) if request.execute else source.schedulers
    from_outside = _from_the_environment(source) if request.execute else {}
    taken: list[Target] = []
    with_jobs = [each for each in schedulers if each.calls]
    found: list[Entry] = []
    for scheduler in with_jobs:
        if scheduler.made and scheduler.settings.get("timezone") is None:
            general.append(f"{shown}: the scheduler named no zone and took the host's, read as {request.timezone}")
        several = len(with_jobs) > 1
        clock_name = _unique(f"{name}_{_clock_name(scheduler.name)}" if several else name, files)
        clock = ClockContext(
            clock_name, path, shown, source, scheduler, _zones(scheduler, request, shown), request.domains,
            [path.parent, request.base], request.now,
        )  # fmt: skip
        jobs = [job for call in scheduler.calls for job in judge(call, clock)]
        found += [_with(job.entry, from_outside.get(job.entry.line)) for job in jobs]
        taken += clock.targets.values()
        written = _written(clock, jobs)
        if any(job.code for job in jobs):
            files[f"clocks/{clock_name}.py"] = written
            opening = f"The tasks of the clock {clock_name} that were in {path.name}, or not in {request.domains}."
            if text := tasks_module(source, path, clock.targets.values(), opening):
                files[f"tasks/{clock_name}.py"] = text
                general.append(f"move tasks/{clock_name}.py into the package {request.domains}")
            if clock.uses_app:
                general.append(_about_the_application(source))
        if scheduler.kind in {"BackgroundScheduler", "AsyncIOScheduler"} and _makes_an_application(source):
            text = (
                f"replicas: the {scheduler.kind} in the web application's file is started by each worker of the web "
                "server, so that each job ran once for each of them; here it runs once"
            )
            general.append(f"{shown}: {text}")
    if not with_jobs:
        found.append(Entry(shown, 1, "", "note", differences=(Difference("empty", "it adds no job", "remark"),)))
    found += [
        Entry(shown, each.line, each.source, "note", differences=(Difference("scheduler", each.text, "remark"),))
        for each in dict.fromkeys(source.asides)
    ]
    if with_jobs:
        found += [
            Entry(
                shown,
                node.lineno,
                ast.unparse(node),
                "note",
                differences=(Difference("left_out", NOT_TAKEN, "remark"),),
            )
            for node in not_taken_over(source, taken)
            if node.lineno not in source.applied
        ]
    entries += sorted(found, key=lambda entry: entry.line)


def _from_the_environment(source: ClockSource) -> dict[int, str]:
    """By line, what of a job came from the environment when the file was run."""
    found = {}
    for scheduler in source.schedulers:
        for call in scheduler.calls:
            reasons = [call.undecided, *map(why_unknown, call.arguments.values())]
            if named := sorted(
                {name for reason in reasons for name in re.findall(r"environment variable (\w+)", reason)}
            ):
                found[call.line] = ", ".join(named)
    return found


def _with(entry: Entry, variables: str | None) -> Entry:
    if not variables:
        return entry
    text = f"what {variables} said in the environment of this import now stands in the clock file"
    return replace(entry, differences=(*entry.differences, Difference("environment", text))).with_outcome()


def _unique(name: str, files: dict[str, str]) -> str:
    number, found = 2, name
    while f"clocks/{found}.py" in files:
        found = f"{name}_{number}"
        number += 1
    return found


def _zones(scheduler: Scheduler, request: Request, shown: str) -> Zones:
    given = scheduler.settings.get("timezone")
    zone = _zone(given)
    if given is not None and zone is None and not request.timezone:
        raise UsageError(
            f"{shown}: the scheduler's timezone isn't known ({why_unknown(given)}): say it with --timezone"
        )
    if zone is None and not request.timezone:
        raise UsageError(
            f"{shown}: the scheduler has no timezone, so it took the host's: say which that is with --timezone, for "
            "example --timezone Europe/Paris"
        )
    return Zones(zone or request.timezone, request.timezone or zone or "")


def _zone(given: Value) -> str | None:
    return zone_name(given) if given is not None else None


def _written(clock: ClockContext, jobs: list[ImportedJob]) -> str:
    own = {"Clock"} | ({"app"} if clock.uses_app else set())
    tasks = import_lines(clock.imports)
    lines = [f'"""The jobs of {clock.shown}."""', ""]
    lines += [*tasks, ""] if tasks else []
    lines += [*import_lines({"scheduled_tasks": own}), ""]
    lines += code_of_call("scheduler = Clock", [f"timezone={literal(clock.zones.clock)}"])
    for job in jobs:
        if job.code:
            lines += job.code
        else:
            lines.append(
                f"# Not imported, the report says why: {clock.shown}:{job.entry.line} {job.entry.job}".rstrip()
            )
    return "\n".join(lines) + "\n"


def _makes_an_application(source: ClockSource) -> bool:
    return any(
        isinstance(each, WebApplication) and each.text.startswith(("Flask(", "FastAPI("))
        for each in source.names.values()
    )


def _about_the_application(source: ClockSource) -> str:
    made = next((each.text for each in source.names.values() if isinstance(each, WebApplication)), "create_app()")
    where = f'app = "{made}"' if ":" in made else f'app = "module:factory", for what the file writes as {made}'
    return f"jobs get the application: the configuration needs {where}"


def _holds_for_all(entries: list[Entry]) -> list[str]:
    if not any(entry.job for entry in entries):
        return []
    grace = (
        "a run that fell due while the clock was down was lost, and one that started more than a second late was "
        "dropped (misfire_grace_time is 1 where nobody gives it); here it is caught up once: write "
        "misfire_grace_time=1 for a job that must not"
    )
    return [grace, "each run is a process of its own: what a job kept in memory from one run to the next is gone"]
