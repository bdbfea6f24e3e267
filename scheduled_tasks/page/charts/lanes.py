"""The lanes of the timeline as values of SVG elements, which fit any width without a script. Pure.

A lane of counts is a bar for each column, whose parts are results. A hundred lanes of forty bars would be ten thousand
elements, so the parts of which there are many (ended, skipped, due) are one path for each result, and only a part that
somebody looks for (failed, missed, lost) is an element of its own, with a title and a link. A lane of slots has an
element for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.run.status import BAD, RunStatus

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from scheduled_tasks.page.reads.timeline import Cell, Slot

HEIGHT = 26  # pixels of a lane
MIN_PART = 5.0  # pixels of a bar's part: a smaller one can't be seen
PITCH, GAP = 16, 1  # units: from one column to the next, and on each side of its bar
BAR = PITCH - 2 * GAP
MIN_SLOT, MAX_MIN_SLOT = 0.35, 1.0  # percent: the least width of a slot's bar, if there are many and if there are few
LINKED_DIGITS = 12  # of a run's ID: random digits are most of what a page of slots weighs, and these find one run
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)  # offsets from UTC are multiples of it
DAY = 24  # hours
ORDER = ("ended", "skipped", "lost", "failed", "missed", "due")  # from the bottom of a bar to its top


class Span(NamedTuple):
    """The time that a picture shows: some columns, each `step` long."""

    first: datetime
    step: timedelta
    columns: int

    @property
    def end(self) -> datetime:
        """Where it ends."""
        return self.at(self.columns)

    def at(self, column: int) -> datetime:
        """Where a column begins."""
        return self.first + column * self.step

    def x(self, at: datetime) -> float:
        """Where an instant is, in percent."""
        return round(100 * ((at - self.first) / (self.step * self.columns)), 3)


class Rect(NamedTuple):
    """A rectangle: x and width in percent, y and height in pixels, what it says, and where it leads."""

    x: float
    y: float
    width: float
    height: float
    status: str
    title: str
    link: str = ""


class Shapes(NamedTuple):
    """What a lane consists of: a path for each result of which there are many, and the rectangles.

    A path's units are PITCH for a column, and pixels in height.
    """

    paths: dict[str, str]
    rects: list[Rect]


class ColumnLink(NamedTuple):
    """A column in words, and the part of a query that asks for the time around it."""

    text: str
    query: str


class Tick(NamedTuple):
    """A mark of the axis, in percent."""

    x: float
    text: str
    is_day: bool


def bars(span: Span, cells: Mapping[int, Cell], columns: Sequence[ColumnLink], link: str = "") -> Shapes:
    """A bar for each column with slots, as high as the root of their number.

    `columns` has what each column's titles say after a number; its bad parts lead to `link` with the column's query,
    without one nowhere.
    """
    largest = max((cell.total for cell in cells.values()), default=1)
    paths: dict[str, list[str]] = {}
    rects = []
    for column, cell in sorted(cells.items()):
        parts = [(status, number) for status in ORDER if (number := getattr(cell, status))]
        least = MIN_PART * len(parts)
        height = min(max(least, HEIGHT * math.sqrt(cell.total / largest)), HEIGHT)
        y = float(HEIGHT)
        for status, number in parts:
            part = MIN_PART + max(height - least, 0) * number / cell.total
            y -= part
            if status in BAD:
                text, query = columns[column]
                leads = f"{link}&{query}" if link else ""
                unit = 100 / span.columns / PITCH  # in percent
                rects.append(Rect(round((column * PITCH + GAP) * unit, 3), round(y, 1), round(BAR * unit, 3),
                                  round(part, 1), status, f"{number} {status}, {text}", leads))  # fmt: skip
            else:
                paths.setdefault(status, []).append(f"M{column * PITCH + GAP} {y:.3g}h{BAR}v{part:.3g}h-{BAR}z")
    return Shapes({status: "".join(found) for status, found in paths.items()}, rects)


def slot_bars(span: Span, slots: Sequence[Slot], now: datetime) -> list[Rect]:
    """A bar for each slot, from its start to its end; one that nobody ran is a frame at its nominal time."""
    least = min(max(MIN_SLOT, 60 / max(len(slots), 1)), MAX_MIN_SLOT)
    found = []
    for slot in slots:
        until = slot.ended_at or (now if slot.status == RunStatus.STARTED else slot.started_at)
        x = span.x(max(slot.started_at, span.first))
        width = max(least, span.x(min(until, span.end)) - x)
        is_hole = slot.status == RunStatus.MISSED
        if is_hole:
            width = max(width, MIN_SLOT * 2)
        margin = 2 if is_hole else 6
        title = f"{slot.status} on {slot.host}" if slot.host else slot.status
        link = f"/run/{slot.run_id.hex[:LINKED_DIGITS]}" if slot.run_id else ""
        found.append(Rect(x, margin, round(width, 3), HEIGHT - 2 * margin, slot.status, title, link))
    return found


def grid(marks: Iterable[Tick], columns: int) -> str:
    """The lines of a lane at the marks of the axis, as one path with the units of `Shapes`."""
    return "".join(f"M{mark.x / 100 * columns * PITCH:.5g} 0v{HEIGHT}" for mark in marks)


def ticks(span: Span, zone: ZoneInfo, most: int = 8) -> list[Tick]:
    """The marks of the axis, at whole hours of a zone."""
    hours = (span.end - span.first) / HOUR
    step = next(step for step in (1, 2, 3, 6, 12, DAY, 2 * DAY) if hours / step <= most)
    found = []
    at = span.first
    while at < span.end:
        local = at.astimezone(zone)
        in_step = local.hour % min(step, DAY) == 0 and (step <= DAY or local.day % 2 == 0)
        if in_step and local.minute == 0:
            found.append(Tick(span.x(at), f"{local:%a %-d}" if local.hour == 0 else f"{local:%H:%M}", local.hour == 0))
        at += QUARTER
    return found
