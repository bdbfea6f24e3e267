"""clocks dev: run clocks in the foreground for development, without systemd and without deploying anything.

APScheduler waits for the occurrences that scheduled_tasks.schedule computes. Each run is a run-task process, so log
lines, flags and recorded runs are those of a deployed job.
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
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import click
from apscheduler.triggers.base import BaseTrigger

from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.options import instant, require_known
from scheduled_tasks.cli.output import SOMETHING_BAD
from scheduled_tasks.cli.screens.local_times import utc_option
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.options import DEFAULT_OPTIONS, seconds_of
from scheduled_tasks.project import enabled_clocks
from scheduled_tasks.quantities import counted
from scheduled_tasks.run import settings
from scheduled_tasks.schedule import Trigger, occurrences
from scheduled_tasks.schedule.evaluator import TICK, latest_occurrence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduled_tasks.clock import ClockSpec, Job


class OccurrenceTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Our occurrences as an APScheduler trigger, so that `dev` runs correctly on the nights of change too."""

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The occurrence after the previous one."""
        after = previous or now - TICK
        return next((occurrence.at for occurrence in occurrences(self.trigger, after=after)), None)


@click.command("dev")
@click.argument("clocks", nargs=-1, metavar="[CLOCK]...", shell_complete=completion.clocks)
@click.option("--at", callback=instant, metavar="T", help="Run the 24 hours from T at once, then exit.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="With --at: the maximum number of runs of each job.",
)
@click.option("--reload/--no-reload", default=True, help="Restart when a Python file of the project changes.")
@utc_option
def dev(clocks: tuple[str, ...], at: datetime | None, limit: int, *, reload: bool) -> None:
    """Run clocks in the foreground, without systemd.

    Runs, log lines and flags are those of a deployed job; there are no limits. Without CLOCK, all clocks run.

    With --at, all runs that are due in the 24 hours from T run at once, one after the other, in order. Exits 3 if one
    fails.
    """
    if at is not None:
        _run_a_day(_chosen(clocks), at, limit)
        return
    from apscheduler.schedulers.background import BackgroundScheduler  # its threads and pools are only needed here

    scheduler = BackgroundScheduler(timezone=UTC)
    _fill(scheduler, clocks)
    scheduler.start()
    try:
        _wait(reload=reload)
    except KeyboardInterrupt:
        click.echo("clocks dev: stopping, waiting for running jobs", err=True)
    finally:
        scheduler.shutdown(wait=True)


def _chosen(names: Iterable[str]) -> list[ClockSpec]:
    clocks = enabled_clocks(lines=False)
    for name in names:
        require_known(
            [(clock.name, job.id) for clock in clocks for job in clock.jobs], name, "", nobody="no file defines"
        )
    return [clock for clock in clocks if not names or clock.name in set(names)]


def _fill(scheduler: Any, names: Iterable[str]) -> None:
    """Add the jobs of the clocks to a scheduler."""
    clocks = _chosen(names)
    jobs = [(clock, job) for clock in clocks for job in clock.jobs if not job.paused]
    for clock, job in jobs:
        scheduler.add_job(
            run_once, OccurrenceTrigger(job.trigger), [clock, job], id=f"{clock.name}/{job.id}", max_instances=1,
            coalesce=True, misfire_grace_time=None,
        )  # fmt: skip
    click.echo(f"clocks dev: {counted(len(jobs), 'job')} of {', '.join(clock.name for clock in clocks)}", err=True)


def _wait(*, reload: bool) -> None:
    watch = _watcher() if reload else None
    if watch is None:
        threading.Event().wait()
        return
    for _changes in watch(settings.load().path.parent, raise_interrupt=True):
        click.echo("clocks dev: a file changed", err=True)
        if problem := _problem():
            click.echo(problem, err=True)
            continue
        # Only a new process imports every changed module again.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the same command


def _problem() -> str:
    """What is wrong with the clock files now, as a new process reads them; "" if nothing is."""
    command = [sys.executable, "-P", "-m", "scheduled_tasks.cli", "list", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def _watcher() -> Any:
    try:
        from watchfiles import PythonFilter, watch
    except ImportError:
        click.echo("clocks dev: to restart on changes, pip install watchfiles", err=True)
        return None

    return partial(watch, watch_filter=PythonFilter())


def run_once(clock: ClockSpec, job: Job, at: datetime | None = None) -> int:
    """Run a job once with run-task, stopped at its time limit; return the exit code.

    `at` is its nominal time, even if that slot has already run; by default it is the last occurrence that was due.
    """
    command = [sys.executable, "-P", "-m", "scheduled_tasks.run.main", job.task, "--clock", clock.name, "--job", job.id]
    if sys.stdout.isatty():
        command.append("--readable")
    if job.args is not None:
        command.append(f"--args={json.dumps(job.args)}")
    if job.kwargs:
        command.append(f"--kwargs={json.dumps(job.kwargs)}")
    command.append(f"--schedule={json.dumps(job.trigger.to_json())}")
    if at is not None:
        command += [f"--at={rfc3339(at)}", "--force"]
    elif latest := latest_occurrence(job.trigger, at_or_before=datetime.now(UTC)):
        command.append(f"--at={rfc3339(latest.at)}")
    options = job.options.over(clock.options.over(DEFAULT_OPTIONS))
    variables = options.by_name.get("environment", ())
    environment = dict(text.split("=", 1) for text in variables) if isinstance(variables, tuple) else {}
    process = subprocess.Popen(command, env=os.environ | environment, cwd=options.text("working_directory") or None)
    try:
        return process.wait(seconds_of(options.timeout))
    except subprocess.TimeoutExpired:
        click.echo(f"clocks dev: {clock.name}/{job.id} stopped after {options.timeout}", err=True)
        process.terminate()
        return process.wait()


def _run_a_day(clocks: list[ClockSpec], start: datetime, limit: int) -> None:
    """Run what is due in the 24 hours from `start`, in order; at most `limit` runs of each job, the rest is counted."""

    def due(clock: ClockSpec, job: Job) -> Iterable[tuple[datetime, str, ClockSpec, Job]]:
        for occurrence in occurrences(job.trigger, after=start - TICK, until=start + timedelta(days=1) - TICK):
            yield occurrence.at, f"{clock.name}/{job.id}", clock, job

    jobs = [due(clock, job) for clock in clocks for job in clock.jobs if not job.paused]
    ran: Counter[str] = Counter()
    left: Counter[str] = Counter()
    failed = 0
    for at, name, clock, job in heapq.merge(*jobs, key=itemgetter(0, 1)):
        if ran[name] == limit:
            left[name] += 1
            continue
        ran[name] += 1
        click.echo(f"clocks dev: {rfc3339(at)} {name}", err=True)
        failed += run_once(clock, job, at) != 0
    for name, number in sorted(left.items()):
        click.echo(f"clocks dev: {name}: left out (--limit): {counted(number, 'more run')}", err=True)
    click.echo(f"clocks dev: {counted(ran.total(), 'run')}, {failed} failed", err=True)
    if failed:
        sys.exit(SOMETHING_BAD)


COMMANDS = (dev,)
