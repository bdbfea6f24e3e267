"""Ask a host to run or backfill a job, wait for it, and show what became of it."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import actor
from scheduled_tasks.cli.logs import printer
from scheduled_tasks.cli.options import one_job, require_known, require_known_host
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.cli.screens.progress import progress_bar
from scheduled_tasks.cli.screens.run_screens import ID_LENGTH
from scheduled_tasks.deploy.log_entries import stored_entry
from scheduled_tasks.errors import ScheduledTasksError, UsageError
from scheduled_tasks.operate import deployments, history
from scheduled_tasks.operate.on_call import run_logs
from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.operate.requests.request_rows import Ask
from scheduled_tasks.project import open_database
from scheduled_tasks.quantities import counted, duration
from scheduled_tasks.run.status import BAD, RunStatus

if TYPE_CHECKING:
    from datetime import datetime

    from scheduled_tasks.operate.history import RunRow
    from scheduled_tasks.operate.requests.request_rows import Request
    from scheduled_tasks.operate.slots import DeployedJob
    from scheduled_tasks.run.database import Connection

POLL_INTERVAL = 0.5  # seconds
LINES_TIMEOUT = 20.0  # seconds for which the log lines of a failed run are waited for


class RequestError(ScheduledTasksError):
    """A request was refused, has failed, or no host took it."""

    exit_code = 75


def run(  # noqa: PLR0913 - a command's options
    which: str, host: str, reason: str, *, at: datetime | None, force: bool, wait: bool, as_json: bool
) -> int:
    """Ask a host to run a job, and wait until the run has started, or with `wait` ended; return the exit code."""
    with open_database() as database:
        job = deployed_on(database, which, host)
        if at and (problem := job.why_not_due(at)):
            raise UsageError(problem)
        asked = Ask("run", job.clock, job.job, reason, host, slot=at, is_forced=force)
        request = follow(database, request_rows.ask(database, asked, by=actor()))
        assert request.run_id is not None  # noqa: S101 - of a run it has one from the start
        row = history.get_run(database, request.run_id)
        if wait:
            row = _wait_for_end(database, request, job)
        if as_json:
            show_json({"request": asdict(request), "run": row._asdict() if row else None})
        elif not wait:
            click.echo(f"started on {host}: run {str(request.run_id)[:ID_LENGTH]}")
        elif row:
            _show_end(database, row)
    if not wait or row is None:
        return 0
    return row.exit_code if row.exit_code is not None else int(row.status in BAD)


def backfill(  # noqa: PLR0913 - a command's options
    which: str, host: str, reason: str, *, first: datetime, last: datetime, force: bool, as_json: bool
) -> int:
    """Ask a host to run a job for past slots, and wait until it has; return the exit code."""
    with open_database() as database:
        job = deployed_on(database, which, host)
        asked = Ask("backfill", job.clock, job.job, reason, host, slot=first, until_slot=last, is_forced=force)
        request = follow(database, request_rows.ask(database, asked, by=actor()))
    if as_json:
        show_json({"request": asdict(request)})
    elif request.total:
        click.echo(f"{counted(request.ran, 'slot')} done on {host}")
    else:
        click.echo("nothing to do: every slot in this range has ended")
    return 0


def deployed_on(database: Connection, which: str, host: str) -> DeployedJob:
    """The job as a host has it.

    Raises:
        UsageError: there is no such job or host, or the host doesn't have it.
    """
    clock, job = one_job(which)
    require_known(deployments.known_jobs(database), clock, job, nobody="no host has")
    require_known_host(deployments.known_hosts(database), host)
    on_hosts = {row.host: row for row in deployments.deployed_now(database, clock, job)}
    if host not in on_hosts:
        raise UsageError(f"{which} is not deployed on {host}; it is on {', '.join(on_hosts)}")
    return on_hosts[host]


def follow(database: Connection, number: int) -> Request:
    """Wait until a request is done, and say on standard error how far it is.

    Raises:
        RequestError: it was refused, has failed, or no host took it.
    """
    request = request_rows.find(database, number)
    click.echo(f"request {number}: {request.host or 'some host'} takes it within a minute", err=True)
    is_taken = False
    while not request.outcome and request.total is None:
        if request.taken_by and not is_taken:
            click.echo(f"request {number}: {request.taken_by} has taken it", err=True)
            is_taken = True
        time.sleep(POLL_INTERVAL)
        request = request_rows.find(database, number)
    if not request.outcome:
        request = _follow_slots(database, request)
    if request.outcome != "done":
        ran = f"; {request.ran} of {counted(request.total, 'slot')} done" if request.total else ""
        raise RequestError(f"request {number} to {request.kind} {request.name} {request.outcome}: {request.why}{ran}")
    return request


def _follow_slots(database: Connection, request: Request) -> Request:
    """Show how many slots of a backfill have run, until it is over."""
    with progress_bar(f"backfill of {request.name}", request.total or 0) as bar:
        shown = 0
        while True:
            bar.advance(request.ran - shown)
            shown = request.ran
            if request.outcome:
                return request
            time.sleep(POLL_INTERVAL)
            request = request_rows.find(database, request.id)


def _wait_for_end(database: Connection, request: Request, job: DeployedJob) -> RunRow | None:
    """Wait for the end of a request's run, with all attempts at it."""
    assert request.run_id is not None  # noqa: S101 - of a run it has one from the start
    retries = int(job.options.get("retries") or 0)
    click.echo(f"run {str(request.run_id)[:ID_LENGTH]} on {request.taken_by}: waiting for its end", err=True)
    while row := history.get_run(database, request.run_id):
        if row.status != RunStatus.STARTED and not (row.status == RunStatus.FAILED and row.attempt <= retries):
            return row
        time.sleep(POLL_INTERVAL)
    return None


def _show_end(database: Connection, row: RunRow) -> None:
    took = f" after {duration(row.duration)}" if row.duration is not None else ""
    why = f": {row.why}" if row.why else ""
    if row.status in BAD:
        say = printer(as_json=False)
        for line in _stored_lines(database, row):
            say(stored_entry(line))
    click.echo(f"run {str(row.run_id)[:ID_LENGTH]} {row.status} on {row.host}{took}{why}")


def _stored_lines(database: Connection, row: RunRow) -> tuple[str, ...]:
    """The log lines of a run that failed, which its host stores at once."""
    deadline = time.monotonic() + LINES_TIMEOUT
    while row.invocation_id and time.monotonic() < deadline:
        if (stored := run_logs.stored(database, row.run_id)) and stored.captured_at:
            return stored.lines
        time.sleep(POLL_INTERVAL)
    return ()
