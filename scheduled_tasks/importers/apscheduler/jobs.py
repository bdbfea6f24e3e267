"""One job of a clock file, judged: what is written for it, and its entry in the report.

In comes a `AddJobCall` as it was read or recorded; out come `ImportedJob`s (an OrTrigger makes several, a refused one
has no code). Every difference of a job is collected before it is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduled_tasks.conversion_report import Difference, Entry
from scheduled_tasks.importers.apscheduler import triggers
from scheduled_tasks.importers.apscheduler.functions import Target, definition_differences, resolve
from scheduled_tasks.importers.apscheduler.values import (
    AddJobCall,
    Scheduler,
    UnknownValue,
    Value,
    WebApplication,
    is_plain,
    why_unknown,
)
from scheduled_tasks.importers.codegen import call as code_of_call
from scheduled_tasks.importers.codegen import literal
from scheduled_tasks.importers.tasks_module import unset, uses_scheduler
from scheduled_tasks.schedule import describe

if TYPE_CHECKING:
    from pathlib import Path

    from scheduled_tasks.importers.apscheduler.triggers import ReadTrigger, Zones
    from scheduled_tasks.importers.apscheduler.values import ClockSource

TRUE = {"true", "yes", "on", "y", "t", "1"}  # apscheduler.util.astobool
LEFT_OUT = {
    "jobstore": "there is no job store",
    "executor": "each run is a process of its own",
}


@dataclass
class ClockContext:
    """The clock that jobs are read for; `ids` and `targets` grow with them."""

    name: str
    path: Path
    shown: str
    source: ClockSource
    scheduler: Scheduler
    zones: Zones
    domains: str
    roots: list[Path]
    now: datetime
    ids: set[str] = field(default_factory=set)
    targets: dict[str, Target] = field(default_factory=dict)
    imports: dict[str, set[str]] = field(default_factory=dict)
    uses_app: bool = False

    @property
    def tasks_module(self) -> str:
        """The module for what has to move into the domains' package."""
        return f"{self.domains}.{self.name}"


@dataclass(frozen=True)
class ImportedJob:
    """A job's code (empty where it is refused) and its entry; `original` is APScheduler's own trigger."""

    code: tuple[str, ...]
    entry: Entry
    original: Any = None


def judge(call: AddJobCall, clock: ClockContext) -> list[ImportedJob]:
    """Judges one call."""
    arguments = _defaults(clock.scheduler) | call.arguments
    differences = _doubts(call)
    resolved = resolve(arguments.get("func"), clock.path, clock.roots)
    differences += resolved.differences
    args, kwargs = _arguments(arguments, differences)
    args, kwargs = [*resolved.args, *args], dict(resolved.kwargs) | kwargs
    target = resolved.target
    if target is not None:
        differences += definition_differences(target, args, kwargs)
        differences += _needs(target, clock.source)
    if call.above:
        names = ", ".join(f"@{each}" for each in call.above)
        text = f"{names} stands above @scheduled_job, so that the job ran without it; now it holds"
        differences.append(Difference("order", text))
    differences += _plain_values(args, kwargs)
    kept, option_differences = _options(arguments)
    differences += option_differences
    unread = (call.undecided or call.refused) and "trigger" not in arguments
    read = [] if unread else triggers.read(arguments, clock.zones, clock.now)
    jobs = []
    for index, each in enumerate(read or [triggers.ReadTrigger("")], 1):
        if index > 1 and isinstance(arguments.get("id"), str):  # the further parts of an OrTrigger
            arguments = arguments | {"id": f"{call.arguments['id']}_{index}"}
        jobs.append(_assembled(call, clock, arguments, target, args, kwargs, kept, differences, each))
    return jobs


def _doubts(call: AddJobCall) -> list[Difference]:
    """What is to be said of a call before it is looked into."""
    found = []
    if call.undecided:
        found.append(Difference("undecided", call.undecided, "refused", instead="import with --execute"))
    if call.problem:
        found.append(Difference("arguments", call.problem, "refused", instead="import with --execute"))
    if call.refused:
        found.append(Difference("apscheduler", f"APScheduler refuses it: {call.refused}", "refused"))
    if call.doubt:
        found.append(Difference("scheduler", call.doubt))
    return found


def _needs(target: Target, source: ClockSource) -> list[Difference]:
    """What a function of the file needs that it won't have as a task."""
    if target.module:
        return []
    if name := uses_scheduler(source, target):
        text = f"{target.name} uses {name} itself, and no scheduler runs here"
        return [Difference("scheduler", text, "refused", instead="take that out of the task")]
    if names := unset(source, target):
        text = f"{target.name} uses {', '.join(names)}, which only a run of the file as a program sets"
        return [Difference("needs", text, "refused", instead="set it in the module, or give it as an argument")]
    return []


def _defaults(scheduler: Scheduler) -> dict[str, Value]:
    """What the scheduler gives each job; APScheduler takes text there too, as it stands in a configuration file."""
    given = scheduler.settings.get("job_defaults")
    found: dict[str, Value] = {}
    for name, value in given.items() if isinstance(given, dict) else ():
        if isinstance(value, str) and name == "coalesce":
            found[name] = value.strip().lower() in TRUE
        else:
            found[name] = int(value) if isinstance(value, str) and value.strip().isdigit() else value
    return found


def _arguments(arguments: dict[str, Value], differences: list[Difference]) -> tuple[list[Value], dict[str, Value]]:
    args, kwargs = arguments.get("args"), arguments.get("kwargs")
    if args is not None and not isinstance(args, list | tuple):
        text = why_unknown(args) or f"args={args!r} is not a list"
        differences.append(Difference("arguments", text, "refused", instead="write args=[…]"))
        args = []
    if kwargs is not None and not isinstance(kwargs, dict):
        text = why_unknown(kwargs) or f"kwargs={kwargs!r} is not a dictionary"
        differences.append(Difference("arguments", text, "refused", instead="write kwargs={…}"))
        kwargs = {}
    return list(args or []), dict(kwargs or {})


def _plain_values(args: list[Value], kwargs: dict[str, Value]) -> list[Difference]:
    found = []
    for value in [*args, *kwargs.values()]:
        if isinstance(value, WebApplication):
            continue
        if not _is_json(value):
            reason = why_unknown(value) if not is_plain(value) else f"{value!r} is no number, text, list or dictionary"
            instead = triggers.EXECUTE if isinstance(value, UnknownValue) else "let the task make it"
            found.append(Difference("arguments", f"a unit can't pass it: {reason}", "refused", instead=instead))
    return found


def _is_json(value: Value) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(each) for key, each in value.items())
    return value is None or isinstance(value, bool | int | float | str)


def _options(arguments: dict[str, Value]) -> tuple[list[str], list[Difference]]:
    """What is kept of APScheduler's options, as words, and what is to be said of them."""
    kept, differences = [], []
    for name in ("misfire_grace_time", "coalesce", "max_instances", "next_run_time", *LEFT_OUT):
        if name not in arguments:
            continue
        value = arguments[name]
        if name == "misfire_grace_time":
            if value is None or (isinstance(value, int) and value > 0):
                kept.append(f"{name}={value}")
            else:
                text = f"misfire_grace_time={value!r} is no number of seconds above 0: APScheduler refuses it"
                differences.append(Difference("grace", text))
        elif name == "coalesce" and value is not True:
            differences.append(
                Difference("coalesce", "runs that were missed several times are caught up once, not each")
            )
        elif name == "max_instances" and value != 1:
            text = f"max_instances={value!r}: a second run never starts beside the first; one that falls due is not run"
            differences.append(Difference("instances", text))
        elif name == "next_run_time" and value is None:
            kept.append("next_run_time=None")
        elif name == "next_run_time":
            differences.append(
                Difference("first_run", "it ran at its next_run_time first; here it runs when it is due")
            )
        elif name in LEFT_OUT:
            differences.append(Difference("left_out", f"{name} is left out: {LEFT_OUT[name]}", "remark"))
    return kept, differences


def _assembled(  # noqa: PLR0913, PLR0917 - the parts of one call
    call: AddJobCall,
    clock: ClockContext,
    arguments: dict[str, Value],
    target: Target | None,
    args: list[Value],
    kwargs: dict[str, Value],
    kept: list[str],
    differences: list[Difference],
    read: ReadTrigger,
) -> ImportedJob:
    wanted, id_differences = _id(arguments.get("id"), target, clock)
    every = (*differences, *id_differences, *read.differences)
    due = describe(read.trigger) if read.trigger is not None else ""
    entry = Entry(clock.shown, call.line, call.source, "", f"{clock.name}/{wanted}" if wanted else "", due, every)
    entry = entry.with_outcome()
    if entry.outcome == "refused" or target is None:
        return ImportedJob((), entry)
    clock.ids.add(wanted)
    words = [_function_word(target, clock), literal(read.kind)]
    if args:
        words.append(literal(list(args)))
    if kwargs:
        words.append(f"kwargs={literal(kwargs)}")
    words.append(f"id={literal(wanted)}")
    if isinstance(arguments.get("name"), str):
        words.append(f"name={literal(arguments['name'])}")
    words += [*read.words, *kept]
    clock.uses_app = clock.uses_app or any(isinstance(value, WebApplication) for value in [*args, *kwargs.values()])
    return ImportedJob(tuple(code_of_call("scheduler.add_job", words)), entry, read.original)


def _id(given: Value, target: Target | None, clock: ClockContext) -> tuple[str, list[Difference]]:
    differences = []
    if isinstance(given, UnknownValue):
        differences.append(Difference("id", f"its id isn't known: {given.text} depends on {given.why}", "remark"))
        given = None
    base = str(given) if given is not None else target.task if target else ""
    wanted = re.sub(r"[^a-z0-9_]+", "_", base.lower()).strip("_") if base else ""
    if given is not None and wanted != given:
        differences.append(Difference("id", f"its id was {given!r}; units are named with a-z, 0-9 and _", "remark"))
    number, name = 2, wanted
    while name and name in clock.ids:
        name = f"{wanted}_{number}"
        number += 1
    if given is not None and name != wanted:
        differences.append(Difference("id", f"the id {given!r} is another job's already, and APScheduler refuses it"))
    return name, differences


def _function_word(target: Target, clock: ClockContext) -> str:
    """The function's name in the clock file; imports and moves are noted on the way."""
    inside = target.module == clock.domains or target.module.startswith(f"{clock.domains}.")
    if inside and not target.is_async:
        taken = {name for module, names in clock.imports.items() if module != target.module for name in names}
        if target.name in taken:
            alias = f"{target.module.rpartition('.')[2]}_{target.name}"
            clock.imports.setdefault(target.module, set()).add(f"{target.name} as {alias}")
            return alias
        clock.imports.setdefault(target.module, set()).add(target.name)
        return target.name
    key = target.task
    while key in clock.targets and (clock.targets[key].module, clock.targets[key].name) != (target.module, target.name):
        key += "_2"
    clock.targets[key] = replace(target, alias=key)
    clock.imports.setdefault(clock.tasks_module, set()).add(key)
    return key
