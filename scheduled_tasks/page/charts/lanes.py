"""The lanes of the timeline: bars in percent of the width, so that a picture fits any screen without a script. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from scheduled_tasks.page.reads.timeline import Cell, Slot

HEIGHT = 26
LEAST = 5.0  # pixels of a bar
LEAST_WIDTH = 0.35  # percent of a slot's bar
HOUR = timedelta(hours=1)
DAY = 24  # hours
ORDER = ("ended", "skipped", "lost", "failed", "missed", "due")  # from the bottom of a bar to its top


class Rect(NamedTuple):
    """A rectangle: x and width in percent, y and height in pixels, and what it says."""

    x: float
    y: float
    width: float
    height: float
    status: str
    title: str
    link: str = ""


class Tick(NamedTuple):
    """A mark of the axis, in percent."""

    x: float
    text: str
    is_day: bool


class Span(NamedTuple):
    """The time that a picture shows."""

    first: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        """Where an instant is, in percent."""
        return round(100 * ((at - self.first) / (self.end - self.first)), 3)


def bars(span: Span, cells: Mapping[datetime, Cell], largest: int) -> list[Rect]:
    """The bars of a lane, one for each hour, as high as the root of its slots; each result is a part of it."""
    found = []
    for hour, cell in sorted(cells.items()):
        if not cell.total or not span.first <= hour < span.end:
            continue
        x, width = span.x(hour), span.x(hour + HOUR) - span.x(hour)
        height = max(LEAST * sum(number > 0 for number in cell), HEIGHT * math.sqrt(cell.total / max(largest, 1)))
        parts = [(status, getattr(cell, status)) for status in ORDER if getattr(cell, status)]
        y = float(HEIGHT)
        for status, part in _shares(parts, min(height, HEIGHT)):
            y -= part
            number = getattr(cell, status)
            found.append(Rect(x + width * 0.06, round(y, 1), round(width * 0.88, 3), round(part, 1), status,
                              f"{number} {status}"))  # fmt: skip
    return found


def _shares(parts: list[tuple[str, int]], height: float) -> list[tuple[str, float]]:
    """The height of each part: at least what is seen, and the rest by number."""
    total = sum(number for _, number in parts)
    rest = height - LEAST * len(parts)
    return [(status, LEAST + max(rest, 0) * number / total) for status, number in parts]


def slot_bars(span: Span, slots: Iterable[Slot], now: datetime) -> list[Rect]:
    """A bar for each slot, from its start to its end; one that nobody ran is a frame at its nominal time."""
    found = []
    for slot in slots:
        until = slot.ended_at or (now if slot.status == RunStatus.STARTED else slot.started_at)
        x = span.x(max(slot.started_at, span.first))
        width = max(LEAST_WIDTH, span.x(min(until, span.end)) - x)
        is_hole = slot.status == RunStatus.MISSED
        if is_hole:
            width = max(width, LEAST_WIDTH * 2)
        margin = 2 if is_hole else 6
        title = f"{slot.status} on {slot.host}" if slot.host else slot.status
        link = f"/run/{slot.run_id}"
        found.append(Rect(x, margin, round(width, 3), HEIGHT - 2 * margin, slot.status, title, link))
    return found


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
        at += HOUR
    return found
