"""clocks incidents, ack, snooze: what is wrong, since when, and who has seen it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import actor
from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.options import (
    clock_and_job,
    future_instant,
    json_option,
    require_future,
    require_known,
    stated_reason,
)
from scheduled_tasks.cli.output import SOMETHING_BAD, show_json
from scheduled_tasks.cli.screens.local_times import LocalTimes, utc_option
from scheduled_tasks.cli.screens.styles import Part, Style, Styled, on_terminal, show, width
from scheduled_tasks.cli.screens.tables import shortened, show_table
from scheduled_tasks.instants import rfc3339, shown
from scheduled_tasks.project import database_now, open_database
from scheduled_tasks.quantities import counted, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduled_tasks.alert.incidents import Incident

COLUMNS = ("INCIDENT", "KIND", "ABOUT", "STATE", "OPENED", "CLOSED", "SLOTS", "REASON")

number_argument = click.argument(
    "number", metavar="INCIDENT", type=click.IntRange(min=1), shell_complete=completion.incidents
)


@click.command("incidents")
@click.argument("which", required=False, metavar="[CLOCK[/JOB]]", shell_complete=completion.clocks_and_jobs)
@click.option("--open", "open_only", is_flag=True, help="Only open ones; exit 3 if there are any.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Maximum number of rows.")
@utc_option
@json_option
def incidents_command(*, which: str | None, open_only: bool, limit: int, as_json: bool) -> None:
    """Show incidents: what is or was wrong, newest first.

    An incident is one continuing fault of a job or a host. It is opened once, by whichever host finds it, and closed
    when the fault is gone; messages tell of both.
    """
    from scheduled_tasks.alert import incident_rows
    from scheduled_tasks.operate import history

    clock, job = clock_and_job(which) if which else ("", "")
    with open_database() as database:
        now = database_now(database)
        rows = incident_rows.incidents(database, clock=clock, job=job, open_only=open_only, limit=limit)
        if clock and not rows:
            require_known(history.known_jobs(database), clock, job, nobody="the ledger does not have")
    if as_json:
        show_json([asdict(row) | {"state": state(row, now)} for row in rows])
    elif on_terminal():
        _show(rows, LocalTimes.of_command(now))
    else:
        show_table(COLUMNS, (_cells(row, now) for row in rows))
    sys.exit(SOMETHING_BAD if open_only and rows else 0)


def state(row: Incident, now: datetime) -> str:
    """Whether it is open, and who has seen it: `open`, `acknowledged`, `snoozed` or `closed`."""
    if not row.is_open:
        return "closed"
    if row.snoozed_until and row.snoozed_until > now:
        return "snoozed"
    return "acknowledged" if row.acked_at else "open"


def slots(row: Incident) -> str:
    """How many slots are bad, and how many of them no host ran: `3`, `3, 2 missed`; `-` of a host."""
    if not row.job or row.kind in {"slow", "late", "short"}:
        return "-"
    return f"{row.bad}, {row.missed} missed" if row.missed else str(row.bad)


def _cells(row: Incident, now: datetime) -> tuple[str, ...]:
    opened, closed = shown(row.opened_at), shown(row.closed_at)
    return str(row.id), row.kind, row.name, state(row, now), opened, closed, slots(row), row.reason.partition("\n")[0]


def _show(rows: list[Incident], times: LocalTimes) -> None:
    columns = width()
    headings = ("ABOUT", "KIND", "STATE", f"OPENED ({times.zone_name})", "SLOTS", "INCIDENT", "REASON")
    cells = ((*_screen_cells(row, times), "\n".join(_notes(row, times, columns))) for row in rows)
    show_table(headings, cells, text=True)
    still_open = sum(row.is_open for row in rows)
    show(Styled(f"{counted(still_open, 'open incident')}", Style.BAD if still_open else Style.GOOD))


def _screen_cells(row: Incident, times: LocalTimes) -> Iterator[Part]:
    yield row.name
    yield row.kind
    now = state(row, times.now)
    yield Styled(now, {"open": Style.BAD, "closed": Style.GOOD}.get(now, Style.WARNING))
    yield times.both(row.opened_at)
    yield slots(row)
    yield str(row.id)


def _notes(row: Incident, times: LocalTimes, columns: int) -> Iterator[str]:
    if row.reason:
        yield shortened(row.reason.partition("\n")[0], columns)
    if row.closed_at:
        why = f": {row.close_reason}" if row.close_reason else ""
        yield f"closed {times.brief(row.closed_at)}, after {duration(row.duration(times.now).total_seconds())}{why}"
        return
    if row.acked_at:
        yield f"acknowledged by {row.acked_by} {times.brief(row.acked_at)}: {row.ack_reason}"
    if row.snoozed_until and row.snoozed_until > times.now:
        yield f"snoozed by {row.snoozed_by} until {times.brief(row.snoozed_until)}: {row.snooze_reason}"


@click.command("ack")
@number_argument
@click.option("--reason", required=True, help="What you know or do; shown to colleagues.")
@json_option
def ack(*, number: int, reason: str, as_json: bool) -> None:
    """Say nothing more about an incident until it is closed.

    Somebody has seen it, and colleagues see who: `clocks incidents`.
    """
    from scheduled_tasks.alert import incident_rows

    with open_database() as database:
        changed = incident_rows.acknowledge(
            database, number, by=actor(), reason=stated_reason(reason, "incident"), at=database_now(database)
        )
        incident = incident_rows.find(database, number)
    if as_json:
        show_json({"changed": changed, "incident": asdict(incident)})
    elif changed:
        click.echo(f"acknowledged {incident.kind} {incident.name}")
    else:
        click.echo(f"already acknowledged by {incident.acked_by}: {incident.ack_reason}")


@click.command("snooze")
@number_argument
@click.option("--until", required=True, callback=future_instant, metavar="T", help="Until when: 06:00, tomorrow, 2h.")
@click.option("--reason", required=True, help="Why; shown to colleagues.")
@utc_option
@json_option
def snooze(*, number: int, until: datetime, reason: str, as_json: bool) -> None:
    """Say nothing about an incident until a time.

    If it is closed before, that is said.
    """
    from scheduled_tasks.alert import incident_rows

    with open_database() as database:
        require_future(until, database_now(database))
        incident_rows.snooze(database, number, until, by=actor(), reason=stated_reason(reason, "incident"))
        incident = incident_rows.find(database, number)
    if as_json:
        show_json({"changed": True, "incident": asdict(incident)})
    else:
        click.echo(f"snoozed {incident.kind} {incident.name} until {rfc3339(until)}")


COMMANDS = (incidents_command, ack, snooze)
