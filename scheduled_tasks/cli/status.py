"""clocks status, history, show: the status of all jobs, past runs, and one run with its log lines."""

from __future__ import annotations

import socket
import sys
import time
from datetime import UTC, datetime
from functools import partial
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from scheduled_tasks.cli.common import clock_file_faults
from scheduled_tasks.cli.options import clock_and_job, json_option, past_instant, require_known
from scheduled_tasks.cli.output import SOMETHING_BAD, console, rich_table, show_json, show_list, show_table
from scheduled_tasks.instants import shown, shown_briefly
from scheduled_tasks.operate import deployments, history, pauses, status
from scheduled_tasks.project import database_now, open_database, value_if_configured
from scheduled_tasks.run.status import RunStatus
from scheduled_tasks.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scheduled_tasks.operate.history import RunRow
    from scheduled_tasks.operate.slots import Pause
    from scheduled_tasks.operate.status import Failure, HostStatus, JobStatus
    from scheduled_tasks.run.database import Connection

REFRESH_INTERVAL = 2.0  # seconds, with --watch
COLUMNS = ("JOB", "STATE", "SINCE", "LAST", "NEXT")
HISTORY_COLUMNS = ("RUN", "JOB", "SLOT", "STATUS", "HOST", "STARTED", "TOOK")
NOTHING_DEPLOYED = "no job is deployed on any host: nothing runs; 'clocks apply' deploys this project's"


class StatusView:
    """The status of jobs, hosts and pauses at one instant; `faults` are those of the clock files."""

    def __init__(self, database: Connection, which: str | None, faults: Sequence[str] = ()) -> None:
        clock, job = clock_and_job(which) if which else ("", "")
        self.now = database_now(database)
        self.jobs: list[JobStatus] = status.jobs(database, self.now, clock, job)
        if not self.jobs:
            require_known(deployments.known_jobs(database), clock, job, nobody="no host has")
        self.hosts: list[HostStatus] = status.hosts(database, self.now)
        self.pauses = pauses.active(database, self.now)
        self.faults = [*faults, *([] if self.jobs else [NOTHING_DEPLOYED])]

    @property
    def is_bad(self) -> bool:
        """Whether an operator is needed: a job is bad, a host is dead, or nothing can run."""
        return bool(self.faults) or any(job.is_bad for job in self.jobs) or any(host.is_dead for host in self.hosts)

    def shown_jobs(self, *, bad_only: bool) -> list[JobStatus]:
        """The jobs of the table."""
        return [job for job in self.jobs if job.is_bad or not bad_only]

    def rows(self, *, bad_only: bool, show: Callable[[datetime | None], str] = shown) -> Iterator[tuple[str, ...]]:
        """The table's rows, with instants as `show` writes them."""
        for job in self.shown_jobs(bad_only=bad_only):
            following = "-" if job.paused_in_file or job.paused else show(job.next_run)
            yield f"{job.clock}/{job.job}", job.state, show(job.since), show(job.last_at), following

    def brief_rows(self, *, bad_only: bool) -> list[tuple[str, ...]]:
        """The table's rows for a terminal of 80 columns."""
        return list(self.rows(bad_only=bad_only, show=partial(shown_briefly, now=self.now)))

    def notes(self, *, bad_only: bool) -> list[str]:
        """A line for each job that has something to explain, for below the table."""
        notes = ((job, _note(job)) for job in self.shown_jobs(bad_only=bad_only))
        return [f"{job.clock}/{job.job}: {note}" for job, note in notes if note]

    def lines(self) -> Iterator[str]:
        """The lines below the table."""
        for fault in self.faults:
            yield f"fault: {fault}"
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
            "faults": self.faults,
            "jobs": [_job(job) for job in self.jobs],
            "hosts": [host.__dict__ for host in self.hosts],
            "pauses": [_pause(row) for row in self.pauses],
        }


def _job(job: JobStatus) -> dict[str, Any]:
    listed = {"failures": [failure.__dict__ for failure in job.failures], "paused": [_pause(row) for row in job.paused]}
    return job.__dict__ | listed | {"state": job.state, "bad": job.is_bad, "since": job.since}


def _pause(row: Pause) -> dict[str, Any]:
    return {**row.scope._asdict(), "at": row.at, "by": row.by, "reason": row.reason, "until": row.until}


def _note(job: JobStatus) -> str:
    notes = [_failed(failure) for failure in job.failures]
    if job.last == RunStatus.SKIPPED and not job.paused:
        notes.append(f"skipped: {job.reason}")
    if job.by_hand:
        notes.append(f"last run by hand: {job.last}")
    if job.paused_in_file:
        notes.append("paused in its clock file")
    notes += [
        f"paused{f' on {row.scope.host}' if row.scope.host else ''} by {row.by}: {row.reason}" for row in job.paused
    ]
    return "; ".join(note.partition("\n")[0] for note in notes)


def _failed(failure: Failure) -> str:
    where = f" on {failure.host}" if failure.host else ""
    more = " or more" if failure.streak == status.MAX_STREAK else ""
    times = f", {failure.streak}{more} bad in a row" if failure.streak > 1 else ""
    return f"{failure.status}{where}{times}{': ' if failure.reason else ''}{failure.reason}"


@click.command("status")
@click.argument("which", required=False, metavar="[CLOCK[/JOB]]")
@click.option("--bad", "bad_only", is_flag=True, help="Only jobs that are bad.")
@click.option("--watch", "live", is_flag=True, help="Refresh every two seconds, until Ctrl-C.")
@json_option
def status_command(*, which: str | None, bad_only: bool, live: bool, as_json: bool) -> None:
    """Show each job's state, last result, next run and pauses.

    A job is bad from its first slot or run that failed, was missed or was lost until one of its runs ends well; a pause
    or a skipped slot does not change this. Exits 3 if a job is bad, a host is dead, no job is deployed or a clock file
    has a fault.
    """
    faults = clock_file_faults()
    with open_database() as database:
        view = StatusView(database, which, faults)
        if live and not as_json:
            _live(database, which, faults, bad_only=bad_only)
    if as_json:
        show_json(view.as_json())
    else:
        _show(view, bad_only=bad_only)
    sys.exit(SOMETHING_BAD if view.is_bad else 0)


def _show(view: StatusView, *, bad_only: bool) -> None:
    notes = map(_note, view.shown_jobs(bad_only=bad_only))
    if sys.stdout.isatty():
        show_list(COLUMNS, view.brief_rows(bad_only=bad_only), notes)
    else:  # a line for each job: programs and grep read it
        rows = view.rows(bad_only=bad_only)
        show_table((*COLUMNS, "NOTE"), ((*row, note) for row, note in zip(rows, notes, strict=True)))
    for line in view.lines():
        click.echo(line)


def _live(database: Connection, which: str | None, faults: Sequence[str], *, bad_only: bool) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    def view_now() -> Group:
        view = StatusView(database, which, faults)
        lines = map(printable, (*view.notes(bad_only=bad_only), *view.lines()))
        return Group(rich_table(COLUMNS, view.brief_rows(bad_only=bad_only), style_of), *map(Text, lines))

    with Live(view_now(), console=console(), auto_refresh=False, screen=sys.stdout.isatty()) as live:
        while True:
            time.sleep(REFRESH_INTERVAL)
            live.update(view_now(), refresh=True)


def style_of(state: str) -> str:
    """The colour of a job's state."""
    return "red" if state.startswith("bad") else {"ok": "green", "running": "green"}.get(state, "yellow")


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
    """Show past slots and runs, newest first, with every attempt."""
    clock, job = clock_and_job(which) if which else ("", "")
    with open_database() as database:
        rows = history.history(
            database, clock=clock, job=job, status=status_ or "", since=since, until=until, limit=limit
        )
        if clock and not rows:
            require_known(history.known_jobs(database), clock, job, nobody="the ledger does not have")
    if as_json:
        show_json([row._asdict() for row in rows])
        return
    if sys.stdout.isatty():
        now = datetime.now(UTC)
        brief = _history_rows(rows, show=partial(shown_briefly, now=now))
        show_list(HISTORY_COLUMNS, brief, map(_why, rows))
    else:
        show_table((*HISTORY_COLUMNS, "WHY"), _with_why(rows))


def _history_rows(
    rows: Sequence[RunRow], *, show: Callable[[datetime | None], str] = shown
) -> Iterator[tuple[str, ...]]:
    for row in rows:
        began = show(row.started_at) if row.status != RunStatus.MISSED else "-"
        took = f"{row.duration:.1f} s" if row.duration is not None else "-"
        slot = show(row.scheduled_at) if row.slot_host is not None else "-"
        yield str(row.run_id)[:8], row.name, slot, row.status, row.host or "-", began, took


def _why(row: RunRow) -> str:
    return row.why.partition("\n")[0] if row.status != RunStatus.ENDED or row.replaced_at else ""


def _with_why(rows: Sequence[RunRow]) -> Iterator[tuple[str, ...]]:
    for row, cells in zip(rows, _history_rows(rows), strict=True):
        yield *cells, _why(row)


@click.command("show")
@click.argument("run")
@json_option
def show(*, run: str, as_json: bool) -> None:
    """Show one run with its unit, and every attempt at its slot.

    Its log lines are shown if it ran on this host.
    """
    from scheduled_tasks.cli.logs import printer
    from scheduled_tasks.deploy import log_entries
    from scheduled_tasks.render import names

    with open_database() as database:
        row = history.find_run(database, run)
        attempts = history.attempts(database, row)
    unit = names.service_name(row.clock, row.job) if row.clock and row.job else ""
    here = row.host == socket.gethostname()
    matches = log_entries.of_invocations(row.invocation_id.hex) if row.invocation_id and here else ()
    entries = list(log_entries.read(matches)) if matches else []
    if as_json:
        listed = [attempt._asdict() for attempt in attempts]
        show_json({**row._asdict(), "unit": unit, "log_lines": [entry.json for entry in entries], "attempts": listed})
        return
    for key, value in row._asdict().items():
        if value not in {None, ""}:
            text = shown(value) if isinstance(value, datetime) else str(value)
            click.echo(f"{key:14} {indent(text, ' ' * 15).lstrip()}")  # no line of an error is a line of ours
    if unit:
        click.echo(f"{'unit':14} {unit}")
    if len(attempts) > 1:
        click.echo("every attempt at this slot:")
        show_list((*HISTORY_COLUMNS, "TRIGGER"), _attempt_rows(attempts), map(_attempt_note, attempts))
    if row.invocation_id and not here:
        command = f"journalctl --namespace='*' _SYSTEMD_INVOCATION_ID={row.invocation_id.hex}"
        click.echo(f"its log lines, on {row.host}: {command}")
    say = printer(value_if_configured("timezone"), as_json=False)
    for entry in entries:
        say(entry)


def _attempt_rows(attempts: Sequence[RunRow]) -> Iterator[tuple[str, ...]]:
    for attempt, cells in zip(attempts, _history_rows(attempts), strict=True):
        yield *cells, attempt.trigger


def _attempt_note(attempt: RunRow) -> str:
    """Why it did not end well, and the invocation, by which journalctl finds its log lines."""
    invocation = f"invocation {attempt.invocation_id.hex}" if attempt.invocation_id else ""
    return "; ".join(filter(None, (_why(attempt), invocation)))


COMMANDS = (status_command, history_command, show)
