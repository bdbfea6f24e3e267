"""clocks traces: how the export of runs as spans goes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.options import json_option
from scheduled_tasks.cli.output import SOMETHING_BAD, show_json
from scheduled_tasks.cli.screens.local_times import LocalTimes, utc_option
from scheduled_tasks.cli.screens.styles import Style, Styled, on_terminal, show, width
from scheduled_tasks.cli.screens.tables import wrapped
from scheduled_tasks.instants import shown
from scheduled_tasks.project import open_database
from scheduled_tasks.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from scheduled_tasks.metrics.traces.progress import Progress

NOTHING = "no host exports traces: write [traces] into the configuration, and apply"


@click.command("traces")
@utc_option
@json_option
def traces(*, as_json: bool) -> None:
    """Show how the export of traces goes.

    How many spans were exported, wait and were dropped, and the error of the last try. Exits 3 if it failed.
    """
    from scheduled_tasks.metrics.traces.progress import progress

    with open_database() as database:
        known = progress(database)
    if as_json:
        show_json(known._asdict() if known else None)
    elif known is None:
        click.echo(NOTHING)
    else:
        is_read_by_people = on_terminal()
        for name, text in _lines(known, LocalTimes.of_command() if is_read_by_people else None):
            first, *more = wrapped(text, width() - 10, "") if is_read_by_people else [text]
            show(Styled(f"{name:8}", Style.QUIET), "  ", first)
            for line in more:
                show(" " * 10, line)
    sys.exit(SOMETHING_BAD if known and known.error else 0)


def _lines(known: Progress, times: LocalTimes | None) -> Iterator[tuple[str, str]]:
    def at(instant: datetime | None, before: str) -> str:
        return f", {before} {times.both(instant) if times else shown(instant)}" if instant else ""

    yield "exported", f"{counted(known.exported, 'span')}{at(known.exported_at, 'the last at')}"
    yield "waiting", f"{counted(known.waiting, 'span')}{at(known.waiting_since, 'the oldest since')}"
    yield "dropped", f"{counted(known.dropped, 'span')}{at(known.dropped_at, 'the last at')}"
    if known.error:
        failed = f" ({counted(known.tries, 'try', 'tries')} in a row failed" if known.tries else ""
        yield "error", f"{known.error}{failed}{at(known.retry_at, 'the next one at')}{')' if failed else ''}"


COMMANDS = (traces,)
