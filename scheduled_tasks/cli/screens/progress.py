"""A progress bar for what can take long: on standard error, and only if that is a terminal."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from scheduled_tasks.cli.screens.styles import on_terminal
from scheduled_tasks.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from rich.progress import Progress, TaskID

Item = TypeVar("Item")


class Bar:
    """The bar, or nothing at all."""

    def __init__(self, progress: Progress | None = None, task: TaskID | None = None) -> None:
        self._progress, self._task = progress, task

    def advance(self, number: int = 1) -> None:
        """Show that so many more are done."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, number)
            self._progress.refresh()

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Remove the bar while something else is printed."""
        if self._progress is None:
            yield
            return
        self._progress.stop()
        yield
        self._progress.start()
        self._progress.refresh()


def shows_bars() -> bool:
    """Whether there are bars: on a terminal that can move its cursor."""
    return on_terminal(err=True) and os.environ.get("TERM") != "dumb"


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Bar]:
    """Show a bar during a block, which advances it; it is removed at the end."""
    if total < 2 or not shows_bars():  # noqa: PLR2004 - one thing has no middle
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=getattr(sys.stderr, "unescaped", sys.stderr))
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    # A thread that refreshes it would write into the middle of other lines.
    with Progress(
        *columns, console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as progress:
        bar = Bar(progress, progress.add_task(printable(what), total=total))
        bar.advance(0)
        yield bar


def with_progress(items: Collection[Item], what: str) -> Iterable[Item]:
    """The items, with a bar while they are worked on."""
    with progress_bar(what, len(items)) as bar:
        for item in items:
            yield item
            bar.advance()
