"""clocks status, history, show: the status of all jobs, past runs, and one run with its log lines."""

from __future__ import annotations

import socket
import sys
import time
from datetime import datetime
from textwrap import indent
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import clock_file_faults
from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.options import clock_and_job, json_option, past_instant, require_known
from scheduled_tasks.cli.output import SOMETHING_BAD, refusal, show_json
from scheduled_tasks.cli.screens import status_check
from scheduled_tasks.cli.screens.local_times import LocalTimes, utc_option
from scheduled_tasks.cli.screens.run_screens import ID_LENGTH, show_history, show_one_run
from scheduled_tasks.cli.screens.status_screen import failure_sentence, state_notes
from scheduled_tasks.cli.screens.status_view import StatusView
from scheduled_tasks.cli.screens.styles import Style, Styled, on_terminal, painted, show, width
from scheduled_tasks.cli.screens.tables import show_table
from scheduled_tasks.errors import ScheduledTasksError, ServiceUnavailableError, UsageError
from scheduled_tasks.instants import shown
from scheduled_tasks.project import database_now, open_database
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduled_tasks.deploy.log_entries import LogEntry
    from scheduled_tasks.operate.history import RunRow
    from scheduled_tasks.operate.on_call.run_logs import StoredLog
    from scheduled_tasks.operate.status import JobStatus
    from scheduled_tasks.run.database import Connection

REFRESH_INTERVAL = 2.0  # seconds, with --watch
FETCH_TIMEOUT, FETCH_INTERVAL = 150.0, 0.5  # seconds, with --fetch-log; a watch looks every minute
COLUMNS = ("JOB", "STATE", "SINCE", "LAST", "NEXT")
HISTORY_COLUMNS = ("RUN", "JOB", "SLOT", "STATUS", "HOST", "STARTED", "TOOK")


def _notes(job: JobStatus) -> list[str]:
    paused = (
        f"paused{f' on {row.scope.host}' if row.scope.host else ''} by {row.by}: {row.reason}".partition("\n")[0]
        for row in job.paused
    )
    return [*map(failure_sentence, job.failures), *state_notes(job), *paused]


@click.command("status", cls=status_check.PluginCommand)
@click.argument("which", required=False, metavar="[CLOCK[/JOB]]", shell_complete=completion.clocks_and_jobs)
@click.option("--bad", "bad_only", is_flag=True, help="Only jobs that are bad; asks the database for no others.")
@click.option("--owner", default="", metavar="NAME", help="Only jobs of this owner.")
@click.option("--watch", "live", is_flag=True, help="Refresh every two seconds, until Ctrl-C.")
@status_check.plugin_options
@utc_option
@json_option
def status_command(  # noqa: PLR0913 - a command's options
    *,
    which: str | None,
    bad_only: bool,
    owner: str,
    live: bool,
    check: bool,
    warning: status_check.Range,
    critical: status_check.Range,
    timeout: float,  # noqa: ARG001 - PluginCommand keeps it
    as_json: bool,
) -> None:
    """Show each job's state, last result, next run and pauses.

    A job is bad from its first slot or run that failed, was missed or was lost until one of its runs ends well; a pause
    or a skipped slot does not change this. Exits 3 if a job is bad, a host is dead or has timers whose due times are
    wrong, no job is deployed, or a clock file has a fault.

    While PostgreSQL is unreachable, it shows what systemd knows of this host's jobs, and exits 75.

    With --check it is a monitoring plugin: CRITICAL (2) if it would exit 3 otherwise, WARNING (1) if incidents are open
    that nobody has acknowledged, UNKNOWN (3) if the ledger can't be read.
    """
    if check and (live or as_json):
        raise UsageError(f"--check has its own form: leave {'--watch' if live else '--json'} out")
    faults = clock_file_faults()
    if check:
        with open_database() as database:
            view = StatusView(database, which, faults, owner=owner, bad_only=True)
            status_check.end(view, view.number_of_jobs(database), warning, critical)
    try:
        with open_database() as database:
            view = StatusView(database, which, faults, owner=owner, bad_only=bad_only)
            if live and not as_json:
                _live(database, which, faults, owner=owner, bad_only=bad_only)
    except ServiceUnavailableError as error:
        _show_host(which, error, bad_only=bad_only, as_json=as_json)
        raise
    if as_json:
        show_json(view.as_json())
    else:
        _show(view)
    sys.exit(SOMETHING_BAD if view.is_bad else 0)


def _show_host(which: str | None, error: ServiceUnavailableError, *, bad_only: bool, as_json: bool) -> None:
    from scheduled_tasks.cli.screens import host_screen

    jobs, paused = host_screen.known_here(*(clock_and_job(which) if which else ("", "")))
    if as_json:  # one document, so the error's own is part of it
        show_json(refusal(error) | host_screen.as_json(jobs, paused))
        click.echo(f"clocks: {error}", err=True)
        sys.exit(error.exit_code)
    if jobs:
        host_screen.show_host(jobs, paused, bad_only=bad_only)


def _show(view: StatusView) -> None:
    if on_terminal():
        for line in view.screen(width()):
            show(*line)
        return
    # A line for each job: programs and grep read it.
    notes = ("; ".join(_notes(job)) for job in view.jobs)
    show_table((*COLUMNS, "NOTE"), ((*row, note) for row, note in zip(view.rows(), notes, strict=True)))
    for sentence in view.lines():
        show(sentence)


def _live(database: Connection, which: str | None, faults: Sequence[str], *, owner: str = "", bad_only: bool) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    terminal = Console(highlight=False, file=getattr(sys.stdout, "unescaped", sys.stdout))

    def view_now() -> Text:
        lines = StatusView(database, which, faults, owner=owner, bad_only=bad_only).screen(terminal.width)
        return Text("\n").join(Text.from_ansi(painted(*line)) for line in lines)

    with Live(view_now(), console=terminal, auto_refresh=False, screen=terminal.is_terminal) as live:
        while True:
            time.sleep(REFRESH_INTERVAL)
            live.update(view_now(), refresh=True)


@click.command("history")
@click.argument("which", required=False, metavar="[CLOCK[/JOB]]", shell_complete=completion.clocks_and_jobs)
@click.option("--status", "status_", type=click.Choice([value.value for value in RunStatus]), help="Only this status.")
@click.option("--since", callback=past_instant, metavar="T", help="Not before: 02:50, yesterday, 7d (ago).")
@click.option("--until", callback=past_instant, metavar="T", help="Not after.")
@click.option("--before", metavar="RUN", help="Only older ones than RUN or RUN.ATTEMPT: the next page.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Maximum number of rows.")
@utc_option
@json_option
def history_command(  # noqa: PLR0913 - a command's options
    *,
    which: str | None,
    status_: str | None,
    since: datetime | None,
    until: datetime | None,
    before: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show past slots and runs, newest first, with every attempt."""
    from scheduled_tasks.operate import history

    clock, job = clock_and_job(which) if which else ("", "")
    with open_database() as database:
        now = database_now(database)
        last = history.find_attempt(database, before) if before else None
        rows = history.history(
            database, clock=clock, job=job, status=status_ or "", since=since, until=until, before=last, limit=limit
        )
        if clock and not rows and not before:
            require_known(history.known_jobs(database), clock, job, nobody="the ledger does not have")
    if as_json:
        show_json([row._asdict() for row in rows])
    elif on_terminal():
        show_history(rows, LocalTimes.of_command(now), width())
        if len(rows) == limit:
            show(Styled(f"older ones: --before {rows[-1].run_id}.{rows[-1].attempt}", Style.QUIET))
    else:
        show_table((*HISTORY_COLUMNS, "WHY"), _with_why(rows))


def _history_rows(rows: Sequence[RunRow]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        began = shown(row.started_at) if row.status != RunStatus.MISSED else "-"
        took = f"{row.duration:.1f} s" if row.duration is not None else "-"
        slot = shown(row.scheduled_at) if row.slot_host is not None else "-"
        yield str(row.run_id)[:8], row.name, slot, row.status, row.host or "-", began, took


def _why(row: RunRow) -> str:
    return row.why.partition("\n")[0] if row.status != RunStatus.ENDED or row.replaced_at else ""


def _with_why(rows: Sequence[RunRow]) -> Iterator[tuple[str, ...]]:
    for row, cells in zip(rows, _history_rows(rows), strict=True):
        yield *cells, _why(row)


def _show_where(row: RunRow, *, has_stored: bool) -> None:
    """Say where the log lines of another host's run are; a Job's UID is its run's id (run/kubernetes/pod.py)."""
    from scheduled_tasks.operate.slots import is_cluster

    click.echo(f"its log lines, on {row.host}:")
    if is_cluster(row.host):
        namespace = row.host.partition("/")[2]
        click.echo(f"kubectl logs --namespace {namespace} --selector batch.kubernetes.io/controller-uid={row.run_id}")
        return
    click.echo(
        f"journalctl --namespace='*' _SYSTEMD_INVOCATION_ID={row.invocation_id.hex if row.invocation_id else ''}"
    )
    click.echo("the last of them:")
    if not has_stored:
        click.echo(f"clocks show {str(row.run_id)[:ID_LENGTH]} --fetch-log")


@click.command("show")
@click.argument("run", shell_complete=completion.runs)
@click.option("--fetch-log", is_flag=True, help="Have the run's host store its last 50 log lines, and wait for them.")
@utc_option
@json_option
def show_run(*, run: str, fetch_log: bool, as_json: bool) -> None:
    """Show one run, all attempts at its slot, and its log lines.

    All lines if it ran on this host. Of a run on another host, the last 50 lines if it failed; of any other run, with
    --fetch-log: that host stores them within a minute.
    """
    from scheduled_tasks.cli.logs import printer
    from scheduled_tasks.deploy.log_entries import stored_entry
    from scheduled_tasks.operate import history
    from scheduled_tasks.operate.on_call import run_logs
    from scheduled_tasks.render import names

    with open_database() as database:
        row = history.find_run(database, run)
        attempts = history.attempts(database, row)
        now = database_now(database)
        stored = _fetch_log(database, row) if fetch_log else run_logs.stored(database, row.run_id)
    unit = names.service_name(row.clock, row.job) if row.clock and row.job else ""
    here = row.host == socket.gethostname()
    entries = (_log_lines(row) if here else []) or [stored_entry(line) for line in (stored.lines if stored else ())]
    if as_json:
        listed = [attempt._asdict() for attempt in attempts]
        show_json({**row._asdict(), "unit": unit, "log_lines": [entry.json for entry in entries], "attempts": listed})
        return
    if on_terminal():
        show_one_run(row, unit, attempts, LocalTimes.of_command(now), width())
    else:
        _show_columns(row, unit, attempts)
    if row.invocation_id and not here:
        _show_where(row, has_stored=bool(entries))
    say = printer(as_json=False)
    for entry in entries:
        say(entry)


def _fetch_log(database: Connection, row: RunRow) -> StoredLog:
    """Request a run's log lines, and wait until its host has stored them."""
    from scheduled_tasks.operate.on_call import run_logs

    run_logs.request(database, row)
    deadline = time.monotonic() + FETCH_TIMEOUT
    while time.monotonic() < deadline:
        if (stored := run_logs.stored(database, row.run_id)) and stored.captured_at:
            return stored
        time.sleep(FETCH_INTERVAL)
    raise ServiceUnavailableError(
        f"{row.host} has not stored the lines within {FETCH_TIMEOUT:g} s, and does so when its watch works again: see "
        "'clocks status'"
    )


def _show_columns(row: RunRow, unit: str, attempts: Sequence[RunRow]) -> None:
    """The columns of a run's row, as they are, for a pipe."""
    for key, value in row._asdict().items():
        if value not in {None, ""}:
            text = shown(value) if isinstance(value, datetime) else str(value)
            click.echo(f"{key:14} {indent(text, ' ' * 15).lstrip()}")  # no line of an error is a line of ours
    if unit:
        click.echo(f"{'unit':14} {unit}")
    if len(attempts) > 1:
        click.echo("every attempt at this slot:")
        show_table((*HISTORY_COLUMNS, "TRIGGER", "WHY"), _attempt_rows(attempts))


def _log_lines(row: RunRow) -> list[LogEntry]:
    """A run's log lines in this host's journal; none if this user can't read it, but the row is still shown."""
    from scheduled_tasks.deploy import log_entries

    try:
        return list(log_entries.read(log_entries.of_invocations(row.invocation_id.hex))) if row.invocation_id else []
    except ScheduledTasksError as error:
        click.echo(f"clocks: its log lines can't be shown: {error}", err=True)
        return []


def _attempt_rows(attempts: Sequence[RunRow]) -> Iterator[tuple[str, ...]]:
    for attempt, cells in zip(attempts, _history_rows(attempts), strict=True):
        yield *cells, attempt.trigger, _attempt_note(attempt)


def _attempt_note(attempt: RunRow) -> str:
    """Why it did not end well, and the invocation, by which journalctl finds its log lines."""
    invocation = f"invocation {attempt.invocation_id.hex}" if attempt.invocation_id else ""
    return "; ".join(filter(None, (_why(attempt), invocation)))


COMMANDS = (status_command, history_command, show_run)
