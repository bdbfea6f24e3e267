"""Read generated clock files with the project's own reader, before anything is reported.

The text of a clock file goes in; its jobs come out as they will be deployed, or its faults. No module of the user is
imported: while the text is read, functions that do nothing stand in for the tasks that it names.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.faults import FaultsError
from scheduled_tasks.schedule import Trigger

OWN = "scheduled_tasks"
OWN_NAMES = {"Clock", "app"}  # that a generated clock imports from this package


def read_back(text: str, name: str, domains: str, now: datetime) -> ClockSpec:
    """Read the text of a generated clock file.

    Raises:
        FaultsError: every fault of the file.
    """
    with TemporaryDirectory() as folder, _tasks_that_do_nothing(text):
        path = Path(folder) / "clock.py"
        path.write_text(text)
        return read_clock(path, name, ReadingContext(domains, "", now, lines=False))


def faults_of(
    text: str, name: str, domains: str, now: datetime, triggers: Mapping[str, Trigger | None]
) -> dict[str, str]:
    """What the reader finds wrong with a generated clock file, by job; "" is the file itself.

    `triggers` are those that the jobs must have, by their ids.
    """
    try:
        clock = read_back(text, name, domains, now)
    except FaultsError as error:
        return {fault.job or "": f"{fault.problem}; {fault.instead}".rstrip("; ") for fault in error.faults}
    read = {job.id: job.trigger for job in clock.jobs}
    return {job: "it would run at other times" for job, trigger in triggers.items() if read.get(job) != trigger}


@contextmanager
def _tasks_that_do_nothing(text: str) -> Iterator[None]:
    """Have each module that the text imports tasks from stand in `sys.modules`, with functions of those names."""
    try:
        imports = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom) and node.module]
    except SyntaxError:
        imports = []  # read_clock says what is wrong
    modules: dict[str, ModuleType] = {}
    for node in imports:
        names = [alias.name for alias in node.names]
        if node.module and not (node.module == OWN and OWN_NAMES.issuperset(names)) and node.module != f"{OWN}.bundled":
            module = modules.setdefault(node.module, ModuleType(node.module))
            for task in names:
                setattr(module, task, _stand_in(node.module, task))
    parents = {name.rpartition(".")[0] for name in modules} - {""}
    parents |= {parent.rpartition(".")[0] for parent in parents} - {""}
    stand_ins = {parent: ModuleType(parent) for parent in parents if parent != OWN} | modules
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = old


def _stand_in(module: str, name: str) -> Callable[..., None]:
    def task(*_args: Any, **_kwargs: Any) -> None:
        pass

    task.__module__, task.__name__, task.__qualname__ = module, name, name
    return task
