"""How commands show results and errors: tables, JSON, and one sentence with an exit code for each error."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.faults import FaultsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Commands(click.Group):
    """A group whose commands show our errors as sentences, with their exit codes, instead of tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke a command; exit if it raises one of our errors."""
        try:
            return super().invoke(ctx)
        except ScheduledTasksError as error:
            _fail(error)


def _fail(error: ScheduledTasksError) -> NoReturn:
    prefix = "" if isinstance(error, FaultsError) else "clocks: "
    click.echo(f"{prefix}{error}", err=True)
    if isinstance(error, FaultsError):
        count = len(error.faults)
        click.echo(f"clocks: {count} fault{'s' if count > 1 else ''}, nothing was changed", err=True)
    sys.exit(error.exit_code)


def show_json(value: object) -> None:
    """Print a result for programs."""
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def show_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table, fitted to the terminal; in a pipe it is as wide as it needs to be."""
    from rich.cells import cell_len  # slow to import, and programs ask for JSON
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal:
        console.print(rich_table(columns, rows))
        return
    columns, cells = list(columns), [list(row) for row in rows]  # not wrapped: programs and grep read it
    widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
    for row in [columns, *cells]:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def rich_table(columns: Iterable[str], rows: Iterable[Iterable[str]], styles: Mapping[str, str] | None = None) -> Any:
    """A table for a terminal; `styles` colours the second cell of each row by its text."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        cells = [Text(cell) for cell in row]
        if styles and len(cells) > 1:
            cells[1].stylize(styles.get(cells[1].plain, ""))
        table.add_row(*cells)
    return table
