"""The strip of a clock's last 24 hours: a bar for each hour, as one path for each result, so that many fit a screen."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scheduled_tasks.page.reads.timeline import Cell

HOURS = 24
HEIGHT = 12  # of the strip; an hour is 1 wide
LEAST = 3  # of each result in an hour, so that one bad slot among hundreds is seen
ORDER = ("ended", "skipped", "lost", "failed", "missed")  # from the bottom of a bar to its top


class DayStrip(NamedTuple):
    """A strip: the path of each result, by its status, and what it says in words."""

    paths: tuple[tuple[str, str], ...]
    text: str


def first_hour(now: datetime) -> datetime:
    """The first hour of the strip: the current one is the last."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def day_strip(cells: Mapping[datetime, Cell], now: datetime) -> DayStrip:
    """The strip of some hours; heights grow with the root of the number of slots."""
    first = first_hour(now)
    largest = max((cell.total for cell in cells.values()), default=1)
    paths: dict[str, list[str]] = defaultdict(list)
    numbers = dict.fromkeys(ORDER, 0)
    for hour, cell in sorted(cells.items()):
        x, top = (hour - first) // timedelta(hours=1), HEIGHT
        for status, height in _parts(cell, largest):
            top -= height
            paths[status].append(f"M{x} {top}h.8v{height}h-.8z")
            numbers[status] += getattr(cell, status)
    words = [f"{number} {status}" for status, number in reversed(numbers.items()) if number]
    return DayStrip(
        tuple((status, "".join(paths[status])) for status in ORDER if paths[status]),
        f"Last 24 hours: {', '.join(words)}" if words else "Last 24 hours: nothing was due",
    )


def _parts(cell: Cell, largest: int) -> list[tuple[str, int]]:
    """The results of an hour with their heights, which are whole numbers: few different ones compress well."""
    found = [(status, getattr(cell, status)) for status in ORDER if getattr(cell, status)]
    if not found:
        return []
    least = min(LEAST, HEIGHT // len(found))
    total = sum(number for _, number in found)
    height = max(round(HEIGHT * math.sqrt(total / largest)), least * len(found))
    rest = height - least * len(found)
    return [(status, least + rest * number // total) for status, number in found]
