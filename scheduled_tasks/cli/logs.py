"""clocks logs: the log lines of jobs, for people on a terminal and as JSON for programs."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.options import (
    chosen_places,
    clock_and_job,
    json_option,
    past_instant,
    require_known,
    user_option,
)
from scheduled_tasks.cli.screens.local_times import LocalTimes, utc_option
from scheduled_tasks.cli.screens.run_screens import ID_LENGTH
from scheduled_tasks.cli.screens.styles import Style, Styled, on_terminal, show
from scheduled_tasks.deploy import log_entries
from scheduled_tasks.errors import NotRootError, ScheduledTasksError, UsageError
from scheduled_tasks.operate import host_watch
from scheduled_tasks.readable_log import ReadableLog
from scheduled_tasks.render import names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from scheduled_tasks.deploy.log_entries import LogEntry
    from scheduled_tasks.operate.on_call.run_logs import StoredLog

LINES = 100  # shown without --since and --lines
LINES_BEFORE_FOLLOWING = 10
STYLES = {"bad": Style.BAD, "warning": Style.WARNING, "good": Style.GOOD, "faint": Style.QUIET}


def printer(*, as_json: bool, with_job: bool = False) -> Callable[[LogEntry], None]:
    """What shows an entry: for people on a terminal, otherwise as one line of JSON."""
    if as_json or not on_terminal():
        return lambda entry: click.echo(entry.json)
    times = LocalTimes.of_command()
    log = ReadableLog(times.zone, times.zone_name, with_job=with_job)

    def show_entry(entry: LogEntry) -> None:
        for line in log.lines(entry.fields):
            show(*(Styled(text, STYLES[meaning]) if meaning else text for text, meaning in line))

    return show_entry


@click.command("logs")
@click.argument("which", required=False, metavar="[CLOCK[/JOB]]", shell_complete=completion.clocks_and_jobs)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines as they come, until Ctrl-C.")
@click.option("--since", callback=past_instant, metavar="T", help="Not before: 2026-11-24, or 2h (ago).")
@click.option("--until", callback=past_instant, metavar="T", help="Not after.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=1),
    help=f"Only the last so many; default without --since: {LINES}, or {LINES_BEFORE_FOLLOWING} with --follow.",
)  # fmt: skip
@utc_option
@user_option
@json_option
def logs(  # noqa: PLR0913 - a command's options
    *,
    which: str | None,
    follow: bool,
    since: datetime | None,
    until: datetime | None,
    lines: int | None,
    user: bool,
    as_json: bool,
) -> None:
    """Show the log lines of jobs.

    Those in this host's journals, with what systemd says of a run that went wrong. Before them, the last lines of
    failed runs on other hosts, from the ledger; not with --follow. On a terminal for people; in a pipe and with --json,
    a line of JSON for each.

    Needs root or the group systemd-journal, except with --user.
    """
    clock, job = clock_and_job(which) if which else ("", "")
    places = chosen_places(Path("/"), user=user)
    jobs = [
        deployed
        for deployed in host_watch.deployed_here(places, socket.gethostname())
        if clock in {"", deployed.clock} and job in {"", deployed.job}
    ]
    stored = [] if follow or user else _stored_elsewhere(clock, job, since, until)
    if not jobs and not job and not stored:
        _require_known(places, clock, job)
        raise UsageError("no job is deployed on this host: see 'clocks plan'")
    units = {names.service_name(deployed.clock, deployed.job): (deployed.clock, deployed.job) for deployed in jobs}
    units = units or {names.service_name(clock, job): (clock, job)}  # a removed job's lines are still there
    options = _journal_options(since, until, lines, follow=follow)
    if not jobs and follow:
        _require_known(places, clock, job)
    show_entry = printer(as_json=as_json, with_job=not job)
    count = _show_stored(stored, show_entry, lines or (LINES if since is None else None), as_json=as_json)
    for entry in log_entries.read(log_entries.of_units(list(units), user=user), *options, names=units):
        show_entry(entry)
        count += 1
    if not count:
        _require_known(places, clock, job)
        hint = "" if os.geteuid() == 0 or user else "; root and the group systemd-journal see all"
        click.echo(f"clocks: the journal has no such lines{hint}", err=True)


def _stored_elsewhere(clock: str, job: str, since: datetime | None, until: datetime | None) -> list[StoredLog]:
    """The stored lines of other hosts' runs; none if this host has no database, or this user can't read it."""
    from scheduled_tasks.operate.on_call import run_logs
    from scheduled_tasks.project import has_database, open_database

    if not has_database():
        return []
    try:
        with open_database() as database:
            return run_logs.stored_elsewhere(
                database, socket.gethostname(), clock=clock, job=job, since=since, until=until
            )
    except NotRootError:
        return []
    except ScheduledTasksError as error:
        click.echo(f"clocks: the log lines of other hosts can't be shown: {error}", err=True)
        return []


def _show_stored(
    stored: Sequence[StoredLog], show_entry: Callable[[LogEntry], None], limit: int | None, *, as_json: bool
) -> int:
    """Show the last stored lines; return how many."""
    listed = [(log, line) for log in stored for line in log.lines][-limit if limit else None :]
    for number, (log, line) in enumerate(listed):
        if not as_json and on_terminal() and (not number or listed[number - 1][0] != log):
            show(Styled(f"run {str(log.run_id)[:ID_LENGTH]} of {log.clock}/{log.job} on {log.host}:", Style.QUIET))
        show_entry(log_entries.stored_entry(line))
    return len(listed)


def _journal_options(since: datetime | None, until: datetime | None, lines: int | None, *, follow: bool) -> list[str]:
    if lines is None and since is None:
        lines = LINES_BEFORE_FOLLOWING if follow else LINES
    options = [f"--{name}=@{at.timestamp()}" for name, at in (("since", since), ("until", until)) if at]
    return [*options, *([f"--lines={lines}"] if lines else []), *(["--follow"] if follow else [])]


def _require_known(places: names.Places, clock: str, job: str) -> None:
    require_known(host_watch.jobs_here(places), clock, job, nobody="this host does not have")


COMMANDS = (logs,)
