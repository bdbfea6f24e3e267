"""clocks requests, stop: what hosts were asked to do, and asking one to stop a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import actor
from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.options import clock_and_job, json_option, require_known, stated_reason
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.cli.screens.local_times import LocalTimes, utc_option
from scheduled_tasks.cli.screens.run_screens import ID_LENGTH
from scheduled_tasks.cli.screens.styles import Part, Style, Styled, on_terminal, width
from scheduled_tasks.cli.screens.tables import shortened, show_table
from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import shown
from scheduled_tasks.operate import history
from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.project import database_now, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduled_tasks.operate.requests.request_rows import Request

COLUMNS = ("REQUEST", "KIND", "JOB", "SLOT", "HOST", "BY", "ASKED", "STATE", "RUN", "REASON", "WHY")


def state(request: Request) -> str:
    """`waiting`, `taken`, or how it ended: `done`, `refused`, `failed`, `expired`."""
    return request.outcome or ("taken" if request.taken_by else "waiting")


@click.command("requests")
@click.argument("which", required=False, metavar="[CLOCK[/JOB]]", shell_complete=completion.clocks_and_jobs)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Maximum number of rows.")
@utc_option
@json_option
def requests(*, which: str | None, limit: int, as_json: bool) -> None:
    """Show what hosts were asked to do, and what became of it.

    Newest first, with who asked and why. The watch of a host takes a request within a minute; one that no host takes
    expires after five.
    """
    clock, job = clock_and_job(which) if which else ("", "")
    with open_database() as database:
        now = database_now(database)
        rows = request_rows.recent(database, clock, job, limit=limit)
        if clock and not rows:
            require_known(history.known_jobs(database), clock, job, nobody="the ledger does not have")
    if as_json:
        show_json([asdict(row) | {"state": state(row)} for row in rows])
    elif on_terminal():
        _show(rows, LocalTimes.of_command(now))
    else:
        show_table(COLUMNS, map(_cells, rows))


def _run(row: Request) -> str:
    """The run that it is about, or that it has become."""
    is_run = row.kind in {"stop", "log"} or row.started_at or row.outcome == "done"
    return str(row.run_id)[:ID_LENGTH] if row.run_id and is_run else "-"


def _cells(row: Request) -> tuple[str, ...]:
    host, slot = row.taken_by or row.host or "-", shown(row.slot) if row.slot else "-"
    why = (row.why or "").partition("\n")[0]
    number = str(row.id)
    return (
        number,
        row.kind,
        row.name,
        slot,
        host,
        row.asked_by,
        shown(row.asked_at),
        state(row),
        _run(row),
        row.reason,
        why,
    )


def _show(rows: list[Request], times: LocalTimes) -> None:
    headings = ("JOB", "KIND", "STATE", f"ASKED ({times.zone_name})", "HOST", "RUN", "NOTE")
    columns = width()
    show_table(
        headings, ((*_screen_cells(row, times), "\n".join(_notes(row, times, columns))) for row in rows), text=True
    )


def _screen_cells(row: Request, times: LocalTimes) -> Iterator[Part]:
    yield row.name
    yield row.kind
    now = state(row)
    yield Styled(now, {"done": Style.GOOD, "waiting": Style.WARNING, "taken": Style.WARNING}.get(now, Style.BAD))
    yield times.both(row.asked_at)
    yield row.taken_by or row.host or "-"
    yield _run(row)


def _notes(row: Request, times: LocalTimes, columns: int) -> Iterator[str]:
    yield shortened(f"{row.asked_by}: {row.reason}".partition("\n")[0], columns)
    if row.slot:
        until = f" to {times.brief(row.until_slot)}" if row.until_slot else ""
        done = f", {row.ran} of {row.total} done" if row.total is not None else ""
        yield f"slot {times.brief(row.slot)}{until}{done}"
    if row.why:
        yield shortened(row.why.partition("\n")[0], columns)


@click.command("stop")
@click.argument("run", shell_complete=completion.runs)
@click.option("--reason", required=True, help="Why; shown to colleagues.")
@json_option
def stop(*, run: str, reason: str, as_json: bool) -> None:
    """Stop a run, on whichever host it runs.

    The host is asked by a request, which its watch takes within a minute. The run gets SIGTERM and the time that its
    unit allows to clean up. On its own host, `systemctl stop` does it at once.
    """
    from scheduled_tasks.cli.running.on_host import follow
    from scheduled_tasks.operate.requests.request_rows import Ask

    with open_database() as database:
        row = history.find_run(database, run)
        if not (row.clock and row.job):
            raise UsageError(f"the run {run} is not of a job: stop it where it was started, on {row.host}")
        asked = Ask("stop", row.clock, row.job, stated_reason(reason, "request"), run_id=row.run_id)
        request = follow(database, request_rows.ask(database, asked, by=actor()))
        ended = history.get_run(database, row.run_id)
    if as_json:
        show_json({"request": asdict(request), "run": ended._asdict() if ended else None})
    else:
        click.echo(f"stopped: run {str(row.run_id)[:ID_LENGTH]} of {row.name} on {row.host}")


COMMANDS = (requests, stop)
