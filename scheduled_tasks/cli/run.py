"""clocks run, backfill: a job now, through its very unit, for one slot or for many."""

from __future__ import annotations

import socket
import sys
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import require_root
from scheduled_tasks.cli.options import json_option, one_job, past_instant
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.errors import ScheduledTasksError, ServiceUnavailableError, UsageError
from scheduled_tasks.instants import shown
from scheduled_tasks.operate import deployments, history, host_pauses, host_watch, pauses
from scheduled_tasks.operate.slots import TICK
from scheduled_tasks.project import database_now, open_database
from scheduled_tasks.render import names
from scheduled_tasks.run.status import RunStatus
from scheduled_tasks.schedule.evaluator import latest_occurrence, occurrences

if TYPE_CHECKING:
    from scheduled_tasks.operate.slots import DeployedJob, Pause

MOST = 10_000  # slots of one backfill: more is a mistake in --from


class PausedError(ScheduledTasksError):
    """The job is paused."""

    exit_code = 75


def _deployed(which: str) -> DeployedJob:
    """The job as this host has it, by its set of units: a run needs no database to be started."""
    clock, job = one_job(which)
    here = host_watch.deployed_here(names.Places(), socket.gethostname())
    found = next((each for each in here if (each.clock, each.job) == (clock, job)), None)
    if found is not None:
        return found
    with open_database() as database:
        hosts = ", ".join(each.host for each in deployments.deployed_now(database, clock, job))
    where = f"it is on {hosts}: run it there" if hosts else "see 'clocks list' and 'clocks plan'"
    raise UsageError(f"{which} is not deployed on this host; {where}")


def _pauses_of(job: DeployedJob) -> list[Pause]:
    held = host_pauses.active(names.Places(), job.host)
    try:
        with open_database() as database:
            held += pauses.active(database, database_now(database))
    except ServiceUnavailableError as error:
        click.echo(f"clocks: whether it is paused for all hosts is not known: {error}", err=True)
    return [row for row in held if row.covers(job.clock, job.job, job.host)]


def _may_run(job: DeployedJob, *, force: bool) -> None:
    require_root("starting a service needs root")
    held = _pauses_of(job)
    if held and not force:
        raise PausedError(f"{job.clock}/{job.job} is paused; --force runs it all the same\n  {held[0]}")


def _must_be_slot(job: DeployedJob, at: datetime) -> None:
    """Refuses an instant at which the job is not due, with those about it."""
    before = latest_occurrence(job.trigger, at_or_before=at)
    if before and before.at == at:
        return
    after = next(occurrences(job.trigger, after=at), None)
    near = " and ".join(f"{each.at:%Y-%m-%dT%H:%M:%SZ}" for each in (before, after) if each)
    raise UsageError(f"{job.clock}/{job.job} is not due at {at:%Y-%m-%dT%H:%M:%SZ}; about it are {near or 'no slots'}")


@click.command("run")
@click.argument("which", metavar="CLOCK/JOB")
@click.option("--wait", is_flag=True, help="Show its log lines as they come, and exit with its exit code.")
@click.option("--at", callback=past_instant, metavar="SLOT", help="As the run of this nominal time, in the ledger too.")
@click.option("--force", is_flag=True, help="Also while it is paused.")
def run(*, which: str, wait: bool, at: datetime | None, force: bool) -> None:
    """Run a job now on this host, through its very unit. Needs root."""
    from scheduled_tasks.operate import run_now

    job = _deployed(which)
    _may_run(job, force=force)
    if at:
        _must_be_slot(job, at)
    unit = names.service_name(job.clock, job.job)
    code = run_now.run(names.Places(), unit, at=at, force=force, wait=wait, say=click.echo)
    if not wait:
        click.echo(f"started {unit}")
    sys.exit(code)


@click.command("backfill")
@click.argument("which", metavar="CLOCK/JOB")
@click.option("--from", "first", callback=past_instant, metavar="T", required=True, help="First slot, inclusive.")
@click.option("--to", "last", callback=past_instant, metavar="T", required=True, help="Last slot, inclusive.")
@click.option("--dry-run", is_flag=True, help="Only say which slots.")
@click.option("--force", is_flag=True, help="Also while it is paused.")
@json_option
def backfill(  # noqa: PLR0913 - a command's options
    *, which: str, first: datetime, last: datetime, dry_run: bool, force: bool, as_json: bool
) -> None:
    """Run a job's slots between two instants in their order, without those that have ended already. Needs root.

    Each is a run of the job's unit with its row in the ledger. The first that fails ends it; called again, it goes on
    there.
    """
    job = _deployed(which)
    slots = _slots(job, first, last)
    done = 0
    code = 0
    if dry_run:
        for at in slots:
            click.echo(shown(at)) if not as_json else None
    else:
        _may_run(job, force=force)
        for at in slots:
            code = _run_slot(job, at, force=force, quiet=as_json)
            if code != 0:
                break
            done += 1
    if as_json:
        show_json({"slots": slots, "ran": done, "exit_code": code})
    elif not slots:
        click.echo("nothing to do: every slot between the two has ended")
    elif code:
        click.echo(f"stopped at {shown(slots[done])}: exit code {code}; mend it, and call this again", err=True)
    sys.exit(code)


def _slots(job: DeployedJob, first: datetime, last: datetime) -> list[datetime]:
    """The slots to run. By the schedule in force: what the job is now, is what runs."""
    if first > last:
        raise UsageError("--from is after --to")
    between = occurrences(job.trigger, after=first - TICK, until=last)
    found = [each.at for each in islice(between, MOST + 1)]
    if len(found) > MOST:
        raise UsageError(f"more than {MOST} slots between --from and --to: write it in pieces")
    if not found:
        return []
    with open_database() as database:
        known = history.statuses_of_slots(database, job.slot(found[0]), found[-1])
    return [at for at in found if known.get(at) not in {RunStatus.ENDED, RunStatus.STARTED}]


def _run_slot(job: DeployedJob, at: datetime, *, force: bool, quiet: bool) -> int:
    from scheduled_tasks.operate import run_now

    unit = names.service_name(job.clock, job.job)
    if not quiet:
        click.echo(f"{job.clock}/{job.job} {shown(at)}", err=True)

    def say(line: str) -> None:
        if not quiet:
            click.echo(line)

    return run_now.run(names.Places(), unit, at=at, trigger="backfill", force=force, say=say)


COMMANDS = (run, backfill)
