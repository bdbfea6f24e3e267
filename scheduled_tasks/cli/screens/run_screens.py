"""The screens of `clocks history` and `clocks show`: runs with their results, and one run in all its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.cli.screens.styles import Line, Part, Style, Styled, show
from scheduled_tasks.cli.screens.tables import shortened, show_table, wrapped
from scheduled_tasks.quantities import duration, size
from scheduled_tasks.run.status import BAD, RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduled_tasks.cli.screens.local_times import LocalTimes
    from scheduled_tasks.operate.history import RunRow

ID_LENGTH = 8  # characters of a run's ID: enough for `clocks show`
LATE = 60  # seconds after its nominal time from which the start of a run is worth a word
STYLES = {RunStatus.ENDED: Style.GOOD, **dict.fromkeys(BAD, Style.BAD)}


def show_history(rows: Sequence[RunRow], times: LocalTimes, columns: int) -> None:
    """Print runs and slots as a table; DUE is the start of a run without a slot."""
    headings = ("JOB", "STATUS", f"DUE ({times.zone_name})", "TOOK", "HOST", "RUN", "WHY")
    cells = ((*_cells(row, times), "\n".join(_notes(row, columns))) for row in rows)
    show_table(headings, cells, text=True)


def status_of(row: RunRow) -> Styled:
    """The status of a run."""
    return Styled(row.status, STYLES.get(RunStatus(row.status), Style.WARNING))


def _cells(row: RunRow, times: LocalTimes) -> Iterator[Part]:
    yield row.name
    yield status_of(row)
    yield times.both(row.scheduled_at if row.slot_host is not None else row.started_at)
    yield duration(row.duration) if row.duration is not None else "-"
    yield row.host or "-"
    yield str(row.run_id)[:ID_LENGTH]


def _notes(row: RunRow, columns: int) -> Iterator[str]:
    if row.slot_host is None:
        yield "by hand, for no slot"
    elif row.trigger != "timer" and row.status != RunStatus.MISSED:
        yield f"started by: {row.trigger}"
    if row.lag is not None and row.lag >= LATE and row.trigger == "timer":
        yield f"started {duration(row.lag)} late"
    if why := row.why.partition("\n")[0] if row.status != RunStatus.ENDED or row.replaced_at else "":
        yield shortened(why, columns)


def show_one_run(row: RunRow, unit: str, attempts: Sequence[RunRow], times: LocalTimes, columns: int) -> None:
    """Print one run: its result and error first, and every attempt at its slot last."""
    for line in _lines(row, unit, times, columns):
        show(*line)
    if len(attempts) > 1:
        show("")
        show(Styled("every attempt at this slot:", Style.HEADER))
        show_history(attempts, times, columns)


def _lines(row: RunRow, unit: str, times: LocalTimes, columns: int) -> Iterator[Line]:
    code = f", exit code {row.exit_code}" if row.exit_code else ""
    yield [Styled(row.name, Style.HEADER), ": ", status_of(row), code]
    for text in filter(None, (row.reason, ": ".join(filter(None, (row.error_type, row.error_message))))):
        yield from ([line] for line in wrapped(text, columns))
    for name, text in _facts(row, unit, times):
        first, *more = wrapped(text, columns - 11, "") or [""]
        yield [Styled(f"{name:9}", Style.QUIET), "  ", first]
        yield from ([" " * 11, line] for line in more)


def _facts(row: RunRow, unit: str, times: LocalTimes) -> Iterator[tuple[str, str]]:
    if row.slot_host is not None:
        yield "due", times.detailed(row.scheduled_at)
    if row.status != RunStatus.MISSED:
        late = f", {duration(row.lag)} after it was due" if row.lag is not None and row.slot_host is not None else ""
        yield "started", f"{times.detailed(row.started_at)}{late}"
    if row.ended_at and row.status != RunStatus.MISSED:
        took = f", after {duration(row.duration)}" if row.duration is not None else ""
        yield "ended", f"{times.detailed(row.ended_at)}{took}"
    used = [] if row.cpu_seconds is None else [f"{duration(row.cpu_seconds)} of CPU time"]
    if row.memory_peak is not None:
        used.append(f"{size(row.memory_peak)} of memory at most")
    if used:
        yield "used", ", ".join(used)
    if row.host:
        yield "host", row.host
    if row.attempt:
        by = "by hand" if row.slot_host is None else f"by {row.trigger}"
        replaced = f", replaced at {times.detailed(row.replaced_at)}" if row.replaced_at else ""
        yield "attempt", f"{row.attempt}, {by}{replaced}"
    if row.expires_at:
        yield "expires", times.detailed(row.expires_at)
    yield from ((name, text) for name, text in (("task", row.task), ("release", row.release), ("unit", unit)) if text)
    yield "run", str(row.run_id)
    if row.invocation_id:
        yield "invoked", row.invocation_id.hex
    yield "now", times.now_sentence()
