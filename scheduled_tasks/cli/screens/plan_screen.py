"""The output of `clocks plan`: the steps of an apply, summed up if they are many, and what they change for the jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.cli.screens.styles import on_terminal, show
from scheduled_tasks.cli.screens.tables import show_table
from scheduled_tasks.instants import shown
from scheduled_tasks.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from scheduled_tasks.cli.screens.local_times import LocalTimes
    from scheduled_tasks.deploy.plan import Plan

MAX_STEPS = 20  # as lines: more are counted
FILES = ("created", "changed", "removed")
VERBS = ("stop", "restart", "start")


def show_plan(
    todo: Plan,
    timers: Sequence[tuple[str, datetime | None, datetime | None]],
    options: Sequence[tuple[str, str, str, str]],
    times: LocalTimes,
    *,
    details: bool,
) -> None:
    """Print a plan.

    Args:
        todo: the steps.
        timers: each timer whose calendar changes, with its next run before and after.
        options: each changed option that no unit has: the job, the option, and what it meant and means.
        times: how instants are written on a terminal.
        details: print each step, however many they are.
    """
    steps = list(_steps(todo))
    if details or len(steps) <= MAX_STEPS:
        for kind, path in steps:
            show(f"{kind:8} {path}")
    else:
        for line in _summary(todo):
            show(line)
    if timers:
        show("")
        _show_next_runs(timers, times)
    if options:
        show("")
        few = options if details else options[:MAX_STEPS]
        rows = [(job, f"{after}; before: {before}") for job, _, before, after in few]
        show_table(("JOB", "FROM THEN ON"), rows, text=True)
        if len(few) < len(options):
            show(f"and {len(options) - len(few)} more; --details lists them")
    for service, effect in todo.on_running.items():
        show(f"{service} is running: it {effect}")
    if todo.unfinished:
        show("an earlier apply was interrupted: this one finishes it")


def _steps(todo: Plan) -> Iterator[tuple[str, str]]:
    for kind in FILES:
        yield from ((kind, path) for path in getattr(todo, kind))
    yield from (("link", link) for link in todo.missing_links if link not in todo.created)
    for verb in VERBS:
        yield from ((verb, unit) for unit in getattr(todo, verb))


def _summary(todo: Plan) -> Iterator[str]:
    for kind in FILES:
        if paths := getattr(todo, kind):
            jobs = sum(path.endswith(".timer") for path in paths)
            yield f"{kind:8} {counted(len(paths), 'file')}" + (f", {counted(jobs, 'timer')} among them" if jobs else "")
    for verb in VERBS:
        if units := getattr(todo, verb):
            yield f"{verb:8} {counted(len(units), 'unit')}"
    yield "--details lists them"


def _show_next_runs(timers: Sequence[tuple[str, datetime | None, datetime | None]], times: LocalTimes) -> None:
    """On a terminal in the order of the new next runs, with a column for the old ones if there are any."""
    if not on_terminal():
        rows = [(timer, shown(before), shown(after)) for timer, before, after in timers]
        show_table(("TIMER", "NEXT RUN", "NEW NEXT RUN"), rows)
        return
    ordered = sorted(timers, key=lambda timer: (timer[2] is None, timer[2]))
    zone = times.zone_name
    if any(before for _, before, _ in timers):
        old_and_new = [(_job(timer), times.both(before), times.both(after)) for timer, before, after in ordered]
        show_table(("JOB", f"NEXT RUN ({zone})", "NEW NEXT RUN"), old_and_new)
    else:
        show_table(("JOB", f"FIRST RUN ({zone})"), [(_job(timer), times.both(after)) for timer, _, after in ordered])


def _job(timer: str) -> str:
    """`CLOCK/JOB` of a job's timer."""
    return timer.removeprefix("clock-").removesuffix(".timer").replace("-", "/", 1)
