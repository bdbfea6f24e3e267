"""clocks run, backfill: start a job's unit now, for one slot or for many, here or by a request on another host."""

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
from scheduled_tasks.cli.options import json_option, one_job, past_instant, require_known, stated_reason
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.cli.screens.local_times import utc_option
from scheduled_tasks.cli.screens.progress import Bar, progress_bar
from scheduled_tasks.errors import ScheduledTasksError, ServiceUnavailableError, UsageError
from scheduled_tasks.instants import shown
from scheduled_tasks.operate import deployments, history, host_pauses, host_watch, pauses
from scheduled_tasks.project import database_now, open_database
from scheduled_tasks.render import names
from scheduled_tasks.run.status import RunStatus
from scheduled_tasks.schedule.evaluator import TICK, occurrences

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
    raise UsageError(f"{which} is not deployed on this host; it is on {hosts}: run it there, or with --host")


def _deployed_on(which: str, host: str) -> DeployedJob:
    from scheduled_tasks.cli.running import on_host

    with open_database() as database:
        return on_host.deployed_on(database, which, host)


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


host_option = click.option(
    "--host", metavar="HOST", shell_complete=completion.hosts,
    help="On this host, which is asked by a request in the database; needs no root.",
)  # fmt: skip
reason_option = click.option("--reason", help="With --host: why; shown to colleagues.")


def _require_reason(host: str | None, reason: str | None) -> str:
    if host is None:
        if reason is not None:
            raise UsageError("--reason is for a request: give --host, too")
        return ""
    if reason is None:
        raise UsageError("--host needs --reason: say why, for colleagues who find the request")
    return stated_reason(reason, "request")


@click.command("run")
@click.argument("which", metavar="CLOCK/JOB", shell_complete=completion.jobs)
@click.option("--wait", is_flag=True, help="Show its log lines while it runs, and exit with its exit code.")
@click.option("--at", callback=past_instant, metavar="SLOT", help="Run it for this nominal time.")
@click.option("--force", is_flag=True, help="Run even if it is paused.")
@host_option
@reason_option
@utc_option
@json_option
def run(  # noqa: PLR0913 - a command's options
    *, which: str, wait: bool, at: datetime | None, force: bool, host: str | None, reason: str | None, as_json: bool
) -> None:
    """Start a job's unit now, here or with --host elsewhere.

    On this host it needs root. Another host is asked by a request, which its watch takes within a minute; this command
    waits for it, and any machine that reaches the database can ask.
    """
    from scheduled_tasks.operate import run_now

    why = _require_reason(host, reason)
    if host is not None:
        from scheduled_tasks.cli.running import on_host

        sys.exit(on_host.run(which, host, why, at=at, force=force, wait=wait, as_json=as_json))
    job = _deployed(which)
    _require_runnable(job, force=force)
    if at and (problem := job.why_not_due(at)):
        raise UsageError(problem)
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
@host_option
@reason_option
@utc_option
@json_option
def backfill(  # noqa: PLR0913 - a command's options
    *,
    which: str,
    first: datetime,
    last: datetime,
    dry_run: bool,
    force: bool,
    host: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Run a job for past slots, in order.

    Skips slots that already ended. Each is a run of the job's unit, recorded in the ledger. Stops at the first failure;
    run it again to continue there. On this host it needs root; with --host, the host is asked by a request, and goes on
    even if this command is interrupted.
    """
    if host is not None and not dry_run:
        from scheduled_tasks.cli.running import on_host

        why = _require_reason(host, reason)
        sys.exit(on_host.backfill(which, host, why, first=first, last=last, force=force, as_json=as_json))
    job = _deployed_on(which, host) if host is not None else _deployed(which)
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
