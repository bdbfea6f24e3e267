"""Convert one job of a clock file to its code and its entry in the report.

A call that adds a job, as read or recorded, becomes one `ImportedJob`, or several for an OrTrigger; a refused one has
no code. All differences of a job are collected before it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from scheduled_tasks.conversion_report import Difference, Entry
from scheduled_tasks.importers.apscheduler import model, triggers
from scheduled_tasks.importers.apscheduler.evidence import Evidence, Fact, Zones, settle, stand_in
from scheduled_tasks.importers.apscheduler.functions import Target, definition_differences, resolve
from scheduled_tasks.importers.apscheduler.model import Value, why_unknown, written
from scheduled_tasks.importers.apscheduler.source import ClockSource
from scheduled_tasks.importers.apscheduler.triggers import ReadTrigger
from scheduled_tasks.importers.codegen import call_lines, literal
from scheduled_tasks.importers.dependencies import assumed_imports, kept_names, unset_names, used_scheduler
from scheduled_tasks.importers.request import identifier, unique
from scheduled_tasks.schedule import Trigger, describe

TRUE = {"true", "yes", "on", "y", "t", "1"}  # apscheduler.util.astobool
CREATE = "create it in the task: docs/how-to/migrate.md, What a unit can't name"
LEFT_OUT = {"jobstore": "there is no job store", "executor": "each run is a process of its own"}


@dataclass
class ClockContext:
    """The clock that jobs are imported for; `ids`, `targets` and `imports` grow with them.

    `assumed` is what each of its jobs depends on and could not be read; with `assume_defaults` what can stand in for an
    unknown value does.
    """

    name: str
    path: Path
    shown_path: str
    source: ClockSource
    scheduler: model.Scheduler
    zones: Zones
    domains: str
    roots: list[Path]
    now: datetime
    assume_defaults: bool = False
    assumed: tuple[Fact, ...] = ()
    ids: set[str] = field(default_factory=set)
    targets: dict[str, Target] = field(default_factory=dict)
    imports: dict[str, set[str]] = field(default_factory=dict)
    uses_app: bool = False

    @property
    def tasks_module(self) -> str:
        """The module that takes the functions which have to move into the package of the domains."""
        return f"{self.domains}.{self.name}"


@dataclass(frozen=True)
class ImportedJob:
    """A job's code (empty if it is refused), its entry, and the trigger that it must have."""

    code: tuple[str, ...]
    entry: Entry
    trigger: Trigger | None = None

    def refused(self, problem: str) -> ImportedJob:
        """The job without its code, because what was written for it can't be used."""
        difference = Difference("generated", f"what was written for it is not a job: {problem}", "refused")
        entry = replace(self.entry, differences=(*self.entry.differences, difference)).with_outcome()
        return ImportedJob((), entry)


def import_call(call: model.AddJobCall, clock: ClockContext) -> list[ImportedJob]:
    """Convert one call that adds a job; an OrTrigger gives one job for each of its parts."""
    arguments, assumed = _defaults(clock.scheduler) | call.arguments, list(clock.assumed)
    if clock.assume_defaults:
        arguments, facts = settle("", arguments)
        assumed += facts
    differences = [
        *_call_differences(call, clock.source),
        *(difference for fact in assumed for difference in fact.differences()),
    ]
    resolved = resolve(arguments.get("func"), clock.path, clock.roots)
    target = resolved.target
    differences += resolved.differences
    args, kwargs = _arguments(arguments, differences)
    args, kwargs = [*resolved.args, *args], dict(resolved.kwargs) | kwargs
    for value in [*args, *kwargs.values()]:
        if isinstance(value, model.WebApplication) and value.assumed:
            differences += Fact(value, Evidence.ASSUMED, value.assumed, "app").differences()
    if target is not None:
        differences += [*definition_differences(target, args, kwargs), *_unmet_needs(target, clock.source)]
    if call.above:
        names = ", ".join(f"@{name}" for name in call.above)
        text = f"{names} is above @scheduled_job, so the job ran without it; it now applies"
        differences.append(Difference("order", text))
    kept, option_differences = _options(arguments)
    differences += [*_plain_values(args, kwargs), *option_differences]
    unread = (call.undecided or call.refused) and "trigger" not in arguments
    read = [] if unread else triggers.read(arguments, clock.zones, clock.now)
    jobs = []
    for index, trigger in enumerate(read or [triggers.ReadTrigger("")], 1):
        if index > 1 and isinstance(arguments.get("id"), str):  # the further parts of an OrTrigger
            arguments = arguments | {"id": f"{call.arguments['id']}_{index}"}
        jobs.append(_imported_job(call, clock, arguments, target, args, kwargs, kept, differences, trigger))
    return jobs


def _call_differences(call: model.AddJobCall, source: ClockSource) -> list[Difference]:
    """What is uncertain or wrong about the call itself."""
    differences = []
    if call.undecided:
        differences.append(Difference("undecided", call.undecided, "refused", instead="import with --execute"))
    if call.problem:
        differences.append(Difference("arguments", call.problem, "refused", instead="import with --execute"))
    if call.refused:
        differences.append(Difference("apscheduler", f"APScheduler refuses it: {call.refused}", "refused"))
    if call.doubt:
        can_call = call.uncalled in source.functions and not source.functions[call.uncalled].required()
        instead = f"import with --execute --call {call.uncalled} to run it" if can_call else ""
        differences.append(Difference("scheduler", call.doubt, instead=instead))
    return differences


def _unmet_needs(target: Target, source: ClockSource) -> list[Difference]:
    """What a function of the file uses but can't have as a task."""
    if target.module:
        return []
    if name := used_scheduler(source, target):
        text = f"{target.name} uses {name}, a scheduler, and no scheduler runs here"
        return [Difference("scheduler", text, "refused", instead="remove that from the task")]
    if names := unset_names(source, target):
        text = f"{target.name} uses {', '.join(names)}: set only when the file runs as a program"
        return [Difference("needs", text, "refused", instead="set it in the module, or pass it as an argument")]
    differences = []
    if names := kept_names(source, target):
        text = f"{target.name} keeps {', '.join(names)} from run to run; here each run starts anew"
        differences.append(Difference("state", text, instead="keep it in a file or the database, if a run needs it"))
    for name, module in assumed_imports(source, target).items():
        text = f"{name} is taken from {module}, which isn't here and of which everything is imported"
        differences += Fact(None, Evidence.ASSUMED, text).differences()
    return differences


def _defaults(scheduler: model.Scheduler) -> dict[str, Value]:
    """The scheduler's job_defaults; APScheduler accepts text for them, as in a configuration file."""
    given = stand_in(scheduler.settings.get("job_defaults"))
    defaults: dict[str, Value] = {}
    for name, value in given.items() if isinstance(given, dict) else ():
        if isinstance(value, str) and name == "coalesce":
            defaults[name] = value.strip().lower() in TRUE
        else:
            defaults[name] = int(value) if isinstance(value, str) and value.strip().isdigit() else value
    return defaults


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
    differences = []
    for value in [*args, *kwargs.values()]:
        if not isinstance(value, model.WebApplication) and not _is_json(value):
            reason = why_unknown(value) or f"{value!r} is not a number, a text, a list or a dictionary"
            instead = triggers.EXECUTE if isinstance(value, model.UnknownValue) else CREATE
            text = f"a unit can't pass this argument: {reason}"
            differences.append(Difference("arguments", text, "refused", instead=instead))
    return differences


def _is_json(value: Value) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)


def _options(arguments: dict[str, Value]) -> tuple[list[str], list[Difference]]:
    """The code of the APScheduler options that are kept, and the differences for the others."""
    kept, differences = [], []
    if "misfire_grace_time" in arguments:
        grace = arguments["misfire_grace_time"]
        if grace is None or (isinstance(grace, int) and grace > 0):
            kept.append(f"misfire_grace_time={grace}")
        else:
            text = f"misfire_grace_time={written(grace)} is not a number of seconds above 0: APScheduler refuses it"
            differences.append(Difference("grace", text))
    if arguments.get("coalesce", True) is not True:
        differences.append(Difference("coalesce", "several missed runs are caught up by one run, not one by one"))
    if (instances := arguments.get("max_instances", 1)) != 1:
        text = (
            f"max_instances={written(instances)}: no second run starts while one runs; one that becomes due is not run"
        )
        differences.append(Difference("instances", text))
    if "next_run_time" in arguments:
        if arguments["next_run_time"] is None:
            kept.append("next_run_time=None")
        else:
            text = "APScheduler ran it first at its next_run_time; here it runs when its trigger fires"
            differences.append(Difference("first_run", text))
    for name, text in LEFT_OUT.items():
        if name in arguments:
            differences.append(Difference("left_out", f"{name} is left out: {text}", "remark"))
    return kept, differences


def _imported_job(  # noqa: PLR0913, PLR0917 - the parts of one call
    call: model.AddJobCall,
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
    all_differences = (*differences, *id_differences, *read.differences)
    due = describe(read.trigger) if read.trigger is not None else ""
    job = f"{clock.name}/{wanted}" if wanted else ""
    entry = Entry(clock.shown_path, call.line, call.source, "", job, due, all_differences).with_outcome()
    if entry.outcome == "refused" or target is None:
        return ImportedJob((), entry)
    clock.ids.add(wanted)
    words = [_function_code(target, clock), literal(read.kind)]
    if args:
        words.append(literal(list(args)))
    if kwargs:
        words.append(f"kwargs={literal(kwargs)}")
    words.append(f"id={literal(wanted)}")
    if isinstance(arguments.get("name"), str):
        words.append(f"name={literal(arguments['name'])}")
    words += [*read.words, *kept]
    clock.uses_app |= any(isinstance(value, model.WebApplication) for value in [*args, *kwargs.values()])
    return ImportedJob(tuple(call_lines("scheduler.add_job", words)), entry, read.trigger)


def _id(given: Value, target: Target | None, clock: ClockContext) -> tuple[str, list[Difference]]:
    differences = []
    if isinstance(given, model.UnknownValue):
        differences.append(Difference("id", f"its id isn't known: {given.text} depends on {given.why}", "remark"))
        given = None
    base = str(given) if given is not None else target.task if target else ""
    wanted = identifier(base)
    if given is not None and wanted != given:
        differences.append(Difference("id", f"its id was {given!r}; units are named with a-z, 0-9 and _", "remark"))
    name = unique(wanted, clock.ids)
    if given is not None and name != wanted:
        differences.append(Difference("id", f"another job already has the id {given!r}; APScheduler refuses this one"))
    return name, differences


def _function_code(target: Target, clock: ClockContext) -> str:
    """The function's name in the clock file; its import, or its move to the tasks' module, is recorded in the clock."""
    is_inside = target.module == clock.domains or target.module.startswith(f"{clock.domains}.")
    if is_inside and not target.is_async:
        taken = {name for module, names in clock.imports.items() if module != target.module for name in names}
        if target.name in taken:
            alias = f"{target.module.rpartition('.')[2]}_{target.name}"
            clock.imports.setdefault(target.module, set()).add(f"{target.name} as {alias}")
            return alias
        clock.imports.setdefault(target.module, set()).add(target.name)
        return target.name
    same = (key for key, other in clock.targets.items() if _is_same(other, target))
    key = next(same, None) or unique(target.task, clock.targets)
    clock.targets[key] = replace(target, alias=key)
    clock.imports.setdefault(clock.tasks_module, set()).add(key)
    return key


def _is_same(target: Target, other: Target) -> bool:
    """Whether two targets are one function; several functions of a file can have the same name."""
    same_name = (target.module, target.name) == (other.module, other.name)
    return same_name and (bool(target.module) or target.node is other.node)
