"""clocks run, backfill: start a job's unit now, for one slot or for many."""

from __future__ import annotations

import socket
import sys
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import require_root
from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.logs import printer
from scheduled_tasks.cli.options import json_option, one_job, past_instant, require_known
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.cli.screens.local_times import utc_option
from scheduled_tasks.cli.screens.progress import Bar, progress_bar
from scheduled_tasks.errors import ScheduledTasksError, ServiceUnavailableError, UsageError
from scheduled_tasks.instants import rfc3339, shown
from scheduled_tasks.operate import deployments, history, host_pauses, host_watch, pauses
from scheduled_tasks.project import database_now, open_database
from scheduled_tasks.render import names
from scheduled_tasks.run.status import RunStatus
from scheduled_tasks.schedule.evaluator import TICK, latest_occurrence, occurrences

if TYPE_CHECKING:
    from scheduled_tasks.deploy.log_entries import LogEntry
    from scheduled_tasks.operate.slots import DeployedJob, Pause

MAX_SLOTS = 10_000  # of one backfill: more are probably a mistake in --from


class PausedError(ScheduledTasksError):
    """The job is paused."""

    exit_code = 75


def _deployed(which: str) -> DeployedJob:
    """The job as this host's current set has it, so that starting a run needs no database."""
    clock, job = one_job(which)
    for deployed in host_watch.deployed_here(names.Places(), socket.gethostname()):
        if (deployed.clock, deployed.job) == (clock, job):
            return deployed
    with open_database() as database:
        require_known(deployments.known_jobs(database), clock, job, nobody="no host has")
        hosts = ", ".join(host_job.host for host_job in deployments.deployed_now(database, clock, job))
    raise UsageError(f"{which} is not deployed on this host; it is on {hosts}: run it there")


def _pauses_of(job: DeployedJob) -> list[Pause]:
    active = host_pauses.active(names.Places(), job.host)
    try:
        with open_database() as database:
            active += pauses.active(database, database_now(database))
    except ServiceUnavailableError as error:
        click.echo(f"clocks: can't check pauses in the database: {error}", err=True)
    return [row for row in active if row.covers(job.clock, job.job, job.host)]


def _require_runnable(job: DeployedJob, *, force: bool) -> None:
    require_root("starting a service needs root")
    active = _pauses_of(job)
    if active and not force:
        raise PausedError(f"{job.clock}/{job.job} is paused; --force runs it anyway\n  {active[0]}")


def _must_be_slot(job: DeployedJob, at: datetime) -> None:
    """Raise UsageError for an instant at which the job is not due, with the nearest slots."""
    before = latest_occurrence(job.trigger, at_or_before=at)
    if before and before.at == at:
        return
    after = next(occurrences(job.trigger, after=at), None)
    near = " and ".join(rfc3339(slot.at) for slot in (before, after) if slot)
    raise UsageError(f"{job.clock}/{job.job} is not due at {rfc3339(at)}; the nearest slots are {near or 'none'}")


@click.command("run")
@click.argument("which", metavar="CLOCK/JOB", shell_complete=completion.jobs)
@click.option("--wait", is_flag=True, help="Show its log lines while it runs, and exit with its exit code.")
@click.option("--at", callback=past_instant, metavar="SLOT", help="Run it for this nominal time.")
@click.option("--force", is_flag=True, help="Run even if it is paused.")
@utc_option
@json_option
def run(*, which: str, wait: bool, at: datetime | None, force: bool, as_json: bool) -> None:
    """Start a job's unit now on this host.

    Needs root.
    """
    from scheduled_tasks.operate import run_now

    job = _deployed(which)
    _require_runnable(job, force=force)
    if at:
        _must_be_slot(job, at)
    unit = names.service_name(job.clock, job.job)
    say = printer(as_json=as_json)
    code = run_now.run(names.Places(), unit, at=at, force=force, wait=wait, say=say)
    if as_json and not wait:
        show_json({"started": unit})
    elif not wait:
        click.echo(f"started {unit}")
    sys.exit(code)


@click.command("backfill")
@click.argument("which", metavar="CLOCK/JOB", shell_complete=completion.jobs)
@click.option("--from", "first", callback=past_instant, metavar="T", required=True, help="First slot, inclusive.")
@click.option("--to", "last", callback=past_instant, metavar="T", required=True, help="Last slot, inclusive.")
@click.option("--dry-run", is_flag=True, help="Show the slots, and run nothing.")
@click.option("--force", is_flag=True, help="Run even if it is paused.")
@utc_option
@json_option
def backfill(  # noqa: PLR0913 - a command's options
    *, which: str, first: datetime, last: datetime, dry_run: bool, force: bool, as_json: bool
) -> None:
    """Run a job for past slots, in order.

    Needs root. Skips slots that already ended. Each is a run of the job's unit, recorded in the ledger. Stops at the
    first failure; run it again to continue there.
    """
    job = _deployed(which)
    slots = _slots(job, first, last)
    done = code = 0
    if dry_run:
        if slots and not as_json:
            click.echo("\n".join(map(shown, slots)))
    else:
        _require_runnable(job, force=force)
        with progress_bar(f"backfill of {which}", len(slots)) as bar:
            for at in slots:
                code = _run_slot(job, at, bar, force=force, quiet=as_json)
                if code != 0:
                    break
                done += 1
                bar.advance()
    if as_json:
        show_json({"slots": slots, "ran": done, "exit_code": code})
    elif not slots:
        click.echo("nothing to do: every slot in this range has ended")
    elif code:
        click.echo(f"stopped at {shown(slots[done])}: exit code {code}; fix it and repeat this", err=True)
    sys.exit(code)


def _slots(job: DeployedJob, first: datetime, last: datetime) -> list[datetime]:
    """The slots to run, by the deployed schedule, because the deployed job runs."""
    if first > last:
        raise UsageError("--from is after --to")
    between = occurrences(job.trigger, after=first - TICK, until=last)
    due = [occurrence.at for occurrence in islice(between, MAX_SLOTS + 1)]
    if len(due) > MAX_SLOTS:
        raise UsageError(f"more than {MAX_SLOTS} slots between --from and --to: backfill in smaller ranges")
    if not due:
        return []
    with open_database() as database:
        known = history.statuses_of_slots(database, job.slot(due[0]), due[-1])
    return [at for at in due if known.get(at) not in {RunStatus.ENDED, RunStatus.STARTED}]


def _run_slot(job: DeployedJob, at: datetime, bar: Bar, *, force: bool, quiet: bool) -> int:
    from scheduled_tasks.operate import run_now

    unit = names.service_name(job.clock, job.job)
    if quiet:
        return run_now.run(names.Places(), unit, at=at, trigger="backfill", force=force)
    show = printer(as_json=False)

    def say(entry: LogEntry) -> None:
        with bar.hidden():
            show(entry)

    with bar.hidden():
        click.echo(f"{job.clock}/{job.job} {shown(at)}", err=True)
    return run_now.run(names.Places(), unit, at=at, trigger="backfill", force=force, say=say)


COMMANDS = (run, backfill)
