"""Read clock files: execute each as Python, then check it as a whole.

A file with `scheduler = Clock(…)` and `scheduler.add_job(…)` goes in. A `ClockSpec` comes out, or all faults of the
file at once, each with file, line, job and what to write instead. Reading a clock runs no task. `read_clocks` executes
the files in a child process: one that ends its process or hangs is a fault, and what it prints is passed to the caller.
"""

from __future__ import annotations

import ast
import re
import traceback
from dataclasses import asdict, replace
from difflib import get_close_matches
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

from scheduled_tasks.clock import Clock, ClockSpec, JobCall
from scheduled_tasks.clock_data import from_data, to_data
from scheduled_tasks.clock_job import (
    MAX_NAME,
    ReadingContext,
    job_name,
    read_job,
    why_no_description,
    why_no_name,
)
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.faults import Fault, FaultsError
from scheduled_tasks.features import explain_unknown
from scheduled_tasks.masking import mask
from scheduled_tasks.options import OPTIONS, Options, read_options, shown_value
from scheduled_tasks.options.alert_faults import NOTIFY, NotifyNames, faults_of_clock, faults_of_names
from scheduled_tasks.project_process import ProjectProcess, UnansweredError
from scheduled_tasks.run.find_task import with_application
from scheduled_tasks.schedule.zone import same_zone, why_no_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType


# If every add_job has a plain name as its first argument, no task is called instead of passed, and the file need not be
# parsed into a tree, which takes most of the time for a file with thousands of jobs.
_ADD_JOB = re.compile(rb"\badd_job\b")
_APSCHEDULERS = "is a scheduler of APScheduler, which a timer replaces"
_CONVERT = "run `clocks import apscheduler {}`, which converts it, or write scheduler = Clock() and no start()"
_TASK_PASSED = re.compile(rb"\.add_job\s*\(\s*[A-Za-z_][\w.]*\s*,")


def clock_files(package: str) -> list[tuple[str, Path]]:
    """The clock files of a package as (clock, path), by name, without modules that start with an underscore.

    Raises:
        ConfigurationError: the package can't be imported.
    """
    try:
        spec = find_spec(package)
    except ImportError as error:
        raise ConfigurationError(f"the package of the clocks, {package}, can't be imported: {error}") from error
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(f"clocks = {package!r}: no such package")
    folder = Path(next(iter(spec.submodule_search_locations)))
    return [(path.stem, path) for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")]


def read_clocks(
    files: Iterable[tuple[str, Path]], context: ReadingContext, note: Callable[[str], object] = lambda _text: None
) -> list[ClockSpec]:
    """Read clock files, given as (clock, path), in a child process; `note` gets what they printed.

    Raises:
        FaultsError: every fault of every file.
    """
    files, clocks, faults = list(files), [], []

    def answer(index: int) -> dict[str, Any]:
        name, path = files[index]
        try:
            return {"clock": to_data(read_clock(path, name, context))}
        except FaultsError as error:
            return {"faults": [asdict(fault) for fault in error.faults]}

    with ProjectProcess(answer) as process:
        for index, (name, path) in enumerate(files):
            try:
                read, printed = process.ask(index)
            except UnansweredError as error:
                faults += _placed([_unanswered(error, path)], path, name)
                continue
            if printed:
                note(f"{path} printed while it was read:\n{indent(printed, '    ')}")
            if "clock" in read:
                clocks.append(from_data(read["clock"]))
            faults += [Fault(**fault) for fault in read.get("faults", ())]
    if faults:
        raise FaultsError(faults)
    return clocks


def _unanswered(error: UnansweredError, path: Path) -> Fault:
    """The fault of a file for which its process gave no answer; the stack of a hang or a crash has its line."""
    places = re.findall(rf'{re.escape(str(path))}(?:", line |:)(\d+)', f"{error.problem}\n{error.output}")
    printed = f"; it printed:\n{indent(error.output, '    ')}" if error.output else ""
    instead = "a clock file only declares jobs: move what else it does, or its imports do, into a task"
    return Fault(f"{error.problem} while it is read", instead + printed, line=int(places[0]) if places else 1)


def read_clock(path: Path, name: str, context: ReadingContext) -> ClockSpec:
    """Read one clock file in this process; see `read_clocks`."""
    module, faults = _execute(path, name, context.make_app)
    if name == NOTIFY:
        problem = "is reserved: the sender of notices has the credentials notify.NAME"
        faults.append(Fault(f"{name!r} {problem}", "give the clock file another name", line=1))
    elif problem := why_no_name(name):
        instead = f"name the clock file with a-z, 0-9 and _ only, at most {MAX_NAME}"
        faults.append(Fault(f"{shown_value(name)} {problem}", instead, line=1))
    clock = getattr(module, "scheduler", None)
    if not isinstance(clock, Clock):
        if not faults and any(base.__module__.startswith("apscheduler.") for base in type(clock).__mro__):
            faults.append(Fault(_APSCHEDULERS, _CONVERT.format(path), "scheduler", shown_value(clock), line=1))
        elif not faults:
            faults.append(Fault("has no clock", "write scheduler = Clock() at the module's top level", line=1))
        raise FaultsError(_placed(faults, path, name))
    options, option_faults = _clock_options(clock, context.timezone, context.notify)
    faults += option_faults
    jobs = []
    for call in clock.calls:
        try:
            jobs.append(read_job(call, name, context, clock.timezone or context.timezone, options))
        except FaultsError as error:
            faults += [replace(fault, line=call.line, job=fault.job or job_name(call)) for fault in error.faults]
    faults += _repeated_ids(clock.calls)
    description = clock.description or (module.__doc__ or f"The jobs of the clock {name}").strip().partition("\n")[0]
    if problem := why_no_description(description):
        instead = "write Clock(description='a line for people')"
        faults.append(Fault(problem, instead, "description", shown_value(description), line=clock.line))
    if faults:
        raise FaultsError(_placed(faults, path, name))
    return ClockSpec(name, description.strip(), options, tuple(jobs), str(path))


def _placed(faults: list[Fault], path: Path, clock: str) -> list[Fault]:
    return [replace(fault, file=str(path), clock=clock) for fault in sorted(faults, key=lambda fault: fault.line)]


def _execute(path: Path, name: str, make_app: Callable[[], object]) -> tuple[ModuleType, list[Fault]]:
    """Execute a clock file. A task that it calls, instead of passing it, is passed and reported as a fault."""
    module = module_from_spec(ModuleSpec(f"scheduled_tasks_clock_{name}", None, origin=str(path)))
    module.__file__ = str(path)
    source = path.read_bytes()
    faults: list[Fault] = []
    try:
        if b"apscheduler" in source and (line := _apschedulers_own(ast.parse(source, str(path)))):
            return module, [Fault(_APSCHEDULERS, _CONVERT.format(path), "scheduler", line=line)]
        if len(_ADD_JOB.findall(source)) == len(_TASK_PASSED.findall(source)):
            code = compile(source, str(path), "exec")
        else:
            tree = ast.parse(source, str(path))
            faults = _pass_called_tasks(tree)
            code = compile(tree, str(path), "exec")
    except SyntaxError as error:
        return module, [Fault(f"is not Python: {error.msg}", line=error.lineno or 1)]
    try:
        with_application(lambda: exec(code, module.__dict__), make_app)  # noqa: S102 - a clock file is Python
    except BaseException as error:  # noqa: BLE001 - any exception is a fault of the clock file, sys.exit(0) above all
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        problem = explain_unknown(error) or mask(f"raises {type(error).__name__}: {error}")
        fault = Fault(problem, line=(lines or [1])[-1] or 1)
        return module, [*faults, fault]
    return module, faults


def _apschedulers_own(tree: ast.Module) -> int:
    """The line that imports a scheduler of APScheduler; 0 if none does. With start() the file would never end."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        if any(f"{module}.".startswith("apscheduler.schedulers.") for module in modules):
            return node.lineno
    return 0


def _pass_called_tasks(tree: ast.Module) -> list[Fault]:
    """Replace `add_job(task(app), …)`, which would run the task now, by passing the task; return the faults."""
    faults = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_job"):
            continue
        keywords = {keyword.arg: keyword for keyword in node.keywords}
        func, identity = keywords.get("func"), keywords.get("id")
        task = node.args[0] if node.args else func and func.value
        if not isinstance(task, ast.Call):
            continue
        written, function = ast.unparse(task), ast.unparse(task.func)
        instead = f"write {function}, with its arguments as args: [{', '.join(map(ast.unparse, task.args))}]"
        fault = Fault("calls the task instead of passing it", instead, "func", written, line=node.lineno)
        job = str(identity.value.value) if identity and isinstance(identity.value, ast.Constant) else ""
        faults.append(replace(fault, job=job or function.rpartition(".")[2]))
        if node.args:
            node.args[0] = task.func
        elif func is not None:
            func.value = task.func
    return faults


def _clock_options(clock: Clock, timezone: str, known: NotifyNames) -> tuple[Options, list[Fault]]:
    options, faults = read_options(
        {name: clock.options[name] for name in clock.options if name in OPTIONS}, of_clock=True
    )
    faults += [*faults_of_clock(options), *faults_of_names(options, known)]
    names = [*OPTIONS, "timezone", "description"]
    for name in clock.options:
        if name not in OPTIONS:
            near = get_close_matches(name, names, n=1)
            instead = f"write {near[0]}=" if near else f"there are {', '.join(names)}"
            faults.append(Fault("is not an argument of Clock", instead, name, shown_value(clock.options[name])))
    zone = clock.timezone or timezone
    if not zone:
        instead = "write timezone='Europe/Paris' (or the like) in Clock() or in the configuration"
        faults.append(Fault("is missing: the host's own zone is never used", instead, "timezone"))
    elif problem := why_no_zone(zone):
        faults.append(Fault(problem, same_zone(zone) or "write a name of the tz database", "timezone", repr(zone)))
    return options, [replace(fault, line=clock.line) for fault in faults]


def _repeated_ids(calls: list[JobCall]) -> list[Fault]:
    seen: dict[str, int] = {}
    faults = []
    for call in calls:
        name = job_name(call)
        if name in seen:
            problem, instead = f"the job at line {seen[name]} already has this id", "give each job its own id"
            faults.append(Fault(problem, instead, "id", repr(name), line=call.line, job=name))
        seen.setdefault(name, call.line)
    return faults
