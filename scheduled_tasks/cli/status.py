"""clocks status, history, show: the status of all jobs, past runs, and one run with its log lines."""

from __future__ import annotations

import socket
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from scheduled_tasks.cli.options import clock_and_job, json_option, past_instant
from scheduled_tasks.cli.output import SOMETHING_BAD, console, rich_table, show_json, show_table
from scheduled_tasks.instants import shown
from scheduled_tasks.operate import history, pauses, status
from scheduled_tasks.project import database_now, open_database
from scheduled_tasks.run.status import BAD, RunStatus
from scheduled_tasks.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduled_tasks.operate.history import RunRow
    from scheduled_tasks.operate.slots import Pause
    from scheduled_tasks.operate.status import HostStatus, JobStatus
    from scheduled_tasks.run.database import Connection

REFRESH_INTERVAL = 2.0  # seconds, with --watch
COLUMNS = ("JOB", "LAST", "SLOT", "SINCE", "NEXT", "NOTE")
STYLES: dict[str, str] = {**dict.fromkeys(BAD, "red"), RunStatus.ENDED: "green", RunStatus.SKIPPED: "yellow"}


class StatusView:
    """The status of jobs, hosts and pauses at one instant."""

    def __init__(self, database: Connection, which: str | None) -> None:
        clock, job = clock_and_job(which) if which else ("", "")
        self.now = database_now(database)
        self.jobs: list[JobStatus] = status.jobs(database, self.now, clock, job)
        self.hosts: list[HostStatus] = status.hosts(database, self.now)
        self.pauses = pauses.active(database, self.now)

    @property
    def is_bad(self) -> bool:
        """Whether an operator is needed: a job went wrong, or a host is dead."""
        return any(job.is_bad for job in self.jobs) or any(host.is_dead for host in self.hosts)

    def rows(self, *, bad_only: bool) -> Iterator[tuple[str, ...]]:
        """The table's rows."""
        for job in self.jobs:
            if job.is_bad or not bad_only:
                last = "running" if job.running_since else job.last or "-"
                since = job.running_since or job.since
                following = "-" if job.paused_in_file or job.paused else shown(job.next_run)
                yield f"{job.clock}/{job.job}", last, shown(job.last_at), shown(since), following, _note(job)

    def lines(self) -> Iterator[str]:
        """The lines below the table."""
        for row in self.pauses:
            yield f"paused: {row}"
        for host in self.hosts:
            if host.is_dead:
                yield f"no heartbeat from {host.host} since {shown(host.heartbeat_at)}; it has {host.jobs} jobs"
        numbers = status.totals(self.jobs)
        yield f"{numbers['jobs']} jobs: {numbers['bad']} bad, {numbers['running']} running, {numbers['paused']} paused"

    def as_json(self) -> dict[str, Any]:
        """The jobs, hosts and pauses, for programs."""
        return {
            "healthy": not self.is_bad,
            "at": self.now,
            "jobs": [job.__dict__ | {"paused": [_pause(row) for row in job.paused]} for job in self.jobs],
            "hosts": [host.__dict__ for host in self.hosts],
            "pauses": [_pause(row) for row in self.pauses],
        }


def _pause(row: Pause) -> dict[str, Any]:
    return {**row.scope._asdict(), "at": row.at, "by": row.by, "reason": row.reason, "until": row.until}


def _note(job: JobStatus) -> str:
    notes = ["paused in its clock file"] if job.paused_in_file else []
    notes += [
        f"paused{f' on {row.scope.host}' if row.scope.host else ''} by {row.by}: {row.reason}" for row in job.paused
    ]
    if job.streak > 1:
        more = " or more" if job.streak == status.MAX_STREAK else ""
        notes.append(f"{job.streak}{more} bad in a row")
    if job.reason and job.last != RunStatus.ENDED and not (job.paused and job.last == RunStatus.SKIPPED):
        notes.append(job.reason.partition("\n")[0])
    return "; ".join(notes)


@click.command("status")
@click.argument("which", required=False, metavar="[CLOCK[/JOB]]")
@click.option("--bad", "bad_only", is_flag=True, help="Only jobs that went wrong.")
@click.option("--watch", "live", is_flag=True, help="Refresh every two seconds, until Ctrl-C.")
@json_option
def status_command(*, which: str | None, bad_only: bool, live: bool, as_json: bool) -> None:
    """Show each job's last result, its next run, and any pause.

    Exits 3 if the last slot of a job failed, was missed or lost, or if a host is dead.
    """
    with open_database() as database:
        view = StatusView(database, which)
        if live and not as_json:
            _live(database, which, bad_only=bad_only)
    if as_json:
        show_json(view.as_json())
    else:
        show_table(COLUMNS, view.rows(bad_only=bad_only))
        for line in view.lines():
            click.echo(line)
    sys.exit(SOMETHING_BAD if view.is_bad else 0)


def _live(database: Connection, which: str | None, *, bad_only: bool) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    def view_now() -> Group:
        view = StatusView(database, which)
        rows = list(view.rows(bad_only=bad_only))
        return Group(rich_table(COLUMNS, rows, STYLES), *map(Text, map(printable, view.lines())))

    with Live(view_now(), console=console(), auto_refresh=False, screen=sys.stdout.isatty()) as live:
        while True:
            time.sleep(REFRESH_INTERVAL)
            live.update(view_now(), refresh=True)


@click.command("history")
@click.argument("which", required=False, metavar="[CLOCK[/JOB]]")
@click.option("--status", "status_", type=click.Choice([value.value for value in RunStatus]), help="Only this status.")
@click.option("--since", callback=past_instant, metavar="T", help="Not before: 2026-11-24, or 2h (ago).")
@click.option("--until", callback=past_instant, metavar="T", help="Not after.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Maximum number of rows.")
@json_option
def history_command(  # noqa: PLR0913 - a command's options
    *, which: str | None, status_: str | None, since: datetime | None, until: datetime | None, limit: int, as_json: bool
) -> None:
    """Show past slots and runs, newest first."""
    clock, job = clock_and_job(which) if which else ("", "")
    with open_database() as database:
        rows = history.history(
            database, clock=clock, job=job, status=status_ or "", since=since, until=until, limit=limit
        )
    if as_json:
        show_json([row._asdict() for row in rows])
        return
    show_table(("RUN", "JOB", "SLOT", "STATUS", "HOST", "STARTED", "TOOK", "WHY"), _history_rows(rows))


def _history_rows(rows: Sequence[RunRow]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        began = shown(row.started_at) if row.status != RunStatus.MISSED else "-"
        took = f"{row.duration:.1f} s" if row.duration is not None else "-"
        slot = shown(row.scheduled_at) if row.slot_host is not None else "-"
        why = row.why.partition("\n")[0] if row.status != RunStatus.ENDED else ""
        yield str(row.run_id)[:8], row.name, slot, row.status, row.host or "-", began, took, why


@click.command("show")
@click.argument("run")
@json_option
def show(*, run: str, as_json: bool) -> None:
    """Show one run with its unit.

    Its log lines are shown if it ran on this host.
    """
    from scheduled_tasks.operate import run_now
    from scheduled_tasks.render import names

    with open_database() as database:
        row = history.find_run(database, run)
    unit = names.service_name(row.clock, row.job) if row.clock and row.job else ""
    here = row.host == socket.gethostname()
    entries = run_now.journal(row.invocation_id.hex) if row.invocation_id and here else []
    lines = [entry["MESSAGE"] for entry in entries]
    if as_json:
        show_json({**row._asdict(), "unit": unit, "log_lines": lines})
        return
    for key, value in row._asdict().items():
        if value not in {None, ""}:
            click.echo(f"{key:14} {shown(value) if isinstance(value, datetime) else value}")
    if unit:
        click.echo(f"{'unit':14} {unit}")
    if row.invocation_id and not here:
        command = f"journalctl --namespace='*' _SYSTEMD_INVOCATION_ID={row.invocation_id.hex}"
        click.echo(f"its log lines, on {row.host}: {command}")
    for line in lines:
        click.echo(line)


COMMANDS = (status_command, history_command, show)
