"""clocks dev: runs clocks in the foreground, for development: no systemd, the same runs.

APScheduler keeps the time, by the occurrences of the schedule room; each run is run-task in a process of its own, so
that log lines, flags and rows are those of a deployed job. Nothing of it is deployed.
"""

from __future__ import annotations

import heapq
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from apscheduler.triggers.base import BaseTrigger

from scheduled_tasks.cli.options import instant
from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.options import DEFAULT_OPTIONS, seconds_of
from scheduled_tasks.project import enabled_clocks
from scheduled_tasks.run import settings
from scheduled_tasks.schedule import Trigger, occurrences
from scheduled_tasks.schedule.evaluator import latest_occurrence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduled_tasks.clock import ClockSpec, Job

MOST = 3


class OccurrenceTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Our occurrences as APScheduler asks for them, so that `dev` keeps the rule of the two nights too."""

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The run after the previous one."""
        after = previous or now - timedelta(microseconds=1)
        return next((each.at for each in occurrences(self.trigger, after=after)), None)


@click.command("dev")
@click.argument("clocks", nargs=-1, metavar="[CLOCK]...")
@click.option("--at", "at", callback=instant, metavar="T", help="Run the day that begins then at once, and end.")
@click.option("--most", type=click.IntRange(min=1), default=MOST, show_default=True, help="With --at: runs of one job.")
@click.option("--reload/--no-reload", default=True, help="Start again when a Python file of the project changes.")
def dev(clocks: tuple[str, ...], at: datetime | None, most: int, *, reload: bool) -> None:
    """Run clocks in the foreground, all or the named ones: same runs, log lines and flags; no systemd, no limits.

    With --at a day is run at once: each run that falls due in the 24 hours from T, in their order, one by one.
    """
    if at is not None:
        _run_a_day(_chosen(clocks), at, most)
        return
    from apscheduler.schedulers.background import BackgroundScheduler  # its threads and pools, for nobody else

    scheduler = BackgroundScheduler(timezone=UTC)
    _fill(scheduler, clocks)
    scheduler.start()
    try:
        _wait(reload=reload)
    except KeyboardInterrupt:
        click.echo("clocks dev: ends; runs that go on are waited for", err=True)
    finally:
        scheduler.shutdown(wait=True)


def _chosen(names: Iterable[str]) -> list[ClockSpec]:
    found = enabled_clocks(lines=False)
    known = {clock.name for clock in found}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no clock {', '.join(unknown)}; there are {', '.join(sorted(known)) or 'none'}")
    return [clock for clock in found if not names or clock.name in set(names)]


def _fill(scheduler: Any, names: Iterable[str]) -> None:
    """Puts the jobs of the clocks into a scheduler, in place of those that are there."""
    clocks = _chosen(names)
    scheduler.remove_all_jobs()
    jobs = [(clock, job) for clock in clocks for job in clock.jobs if not job.paused]
    for clock, job in jobs:
        scheduler.add_job(
            run_once, OccurrenceTrigger(job.trigger), [clock, job], id=f"{clock.name}/{job.id}", max_instances=1,
            coalesce=True, misfire_grace_time=None,
        )  # fmt: skip
    click.echo(f"clocks dev: {len(jobs)} jobs of {', '.join(clock.name for clock in clocks)}", err=True)


def _wait(*, reload: bool) -> None:
    watch = _watcher() if reload else None
    if watch is None:
        threading.Event().wait()
        return
    folder = settings.load().path.parent
    for _changes in watch(folder, raise_interrupt=True):
        click.echo("clocks dev: a file changed", err=True)
        if problem := _problem():
            click.echo(problem, err=True)
            continue
        # Modules that are imported stay as they were: only a new process reads all of them anew.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very command


def _problem() -> str:
    """What is wrong with the clocks as they are now, read by a process of its own; "" where nothing is."""
    command = [sys.executable, "-P", "-m", "scheduled_tasks.cli", "list", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def _watcher() -> Any:
    try:
        from watchfiles import PythonFilter, watch
    except ImportError:
        click.echo(
            "clocks dev: without watchfiles it doesn't see changes: pip install 'scheduled-tasks[dev]'", err=True
        )
        return None

    def python_files(folder: Path, **more: Any) -> Any:
        return watch(folder, watch_filter=PythonFilter(), **more)

    return python_files


def run_once(clock: ClockSpec, job: Job, at: datetime | None = None) -> int:
    """Runs a job once by run-task, ended at its time limit; gives the exit code.

    `at` is the nominal time of a day that is run at once, also where it was run before; else it is the latest that
    was due.
    """
    command = [sys.executable, "-P", "-m", "scheduled_tasks.run.main", job.task, "--clock", clock.name, "--job", job.id]
    if job.args is not None:
        command.append(f"--args={json.dumps(job.args)}")
    if job.kwargs:
        command.append(f"--kwargs={json.dumps(job.kwargs)}")
    command.append(f"--schedule={json.dumps(job.trigger.to_json())}")
    if at is not None:
        command += [f"--at={rfc3339(at)}", "--force"]
    elif found := latest_occurrence(job.trigger, at_or_before=datetime.now(UTC)):
        command.append(f"--at={rfc3339(found.at)}")
    options = job.options.over(clock.options.over(DEFAULT_OPTIONS))
    variables = options.by_name.get("environment", ())
    named = dict(text.split("=", 1) for text in variables) if isinstance(variables, tuple) else {}
    process = subprocess.Popen(command, env=os.environ | named, cwd=options.text("working_directory") or None)
    try:
        return process.wait(seconds_of(options.timeout))
    except subprocess.TimeoutExpired:
        click.echo(f"clocks dev: {clock.name}/{job.id} is stopped after {options.timeout}", err=True)
        process.terminate()
        return process.wait()


def _run_a_day(clocks: list[ClockSpec], start: datetime, most: int) -> None:
    """Runs what falls due in a day, in order; of each job the first few runs, the others are only counted."""
    until = start + timedelta(days=1)

    def due(clock: ClockSpec, job: Job) -> Iterable[tuple[datetime, str, ClockSpec, Job]]:
        after = start - timedelta(microseconds=1)
        for each in occurrences(job.trigger, after=after, until=until - timedelta(microseconds=1)):
            yield each.at, f"{clock.name}/{job.id}", clock, job

    jobs = [due(clock, job) for clock in clocks for job in clock.jobs if not job.paused]
    ran: Counter[str] = Counter()
    left: Counter[str] = Counter()
    failed = 0
    for at, name, clock, job in heapq.merge(*jobs, key=lambda each: each[:2]):
        if ran[name] == most:
            left[name] += 1
            continue
        ran[name] += 1
        click.echo(f"clocks dev: {rfc3339(at)} {name}", err=True)
        failed += run_once(clock, job, at) != 0
    for name, number in sorted(left.items()):
        click.echo(f"clocks dev: {name}: {number} more runs are left out (--most)", err=True)
    click.echo(f"clocks dev: {ran.total()} runs, {failed} failed", err=True)
    if failed:
        sys.exit(1)


COMMANDS = (dev,)
