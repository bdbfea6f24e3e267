"""The strip of a job's last slots: a bar for each, as high as its run took, and a hole where nothing ran."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from scheduled_tasks.page.reads.slots import SlotMark

HEIGHT = 56.0
LEAST = 5.0  # of a run's bar, so that a short one is seen
PITCH = 6.0  # from one bar to the next
GAP = 1.2
LEAST_SLOTS = 60  # for which there is room: a few slots are no wider bars


class Bar(NamedTuple):
    """A bar of the strip."""

    mark: SlotMark
    x: float
    y: float
    width: float
    height: float


class Strip(NamedTuple):
    """A strip: its bars, oldest first, and the height of the usual duration.

    Attributes:
        longest: the duration at the top of the chart, in seconds; 0 if nothing has one.
        usual_y: where the usual duration is; None without one.
        is_short: whether the bars end before its right edge, because there are few.
    """

    bars: tuple[Bar, ...]
    width: float
    height: float
    longest: float
    usual: float | None
    usual_y: float | None
    is_short: bool


def strip(marks: Sequence[SlotMark], usual: float | None) -> Strip:
    """The strip of some slots. Heights grow with the root of the duration, so that one long run hides no other."""
    longest = max((mark.duration or 0.0 for mark in marks), default=0.0)
    bars = []
    room = max(len(marks), LEAST_SLOTS)
    for n, mark in enumerate(marks):
        height = _height(mark, longest)
        bars.append(Bar(mark, round(n * PITCH + GAP / 2, 2), round(HEIGHT - height, 2), PITCH - GAP, round(height, 2)))
    usual_y = round(HEIGHT - _scaled(usual, longest), 2) if usual and longest else None
    return Strip(tuple(bars), room * PITCH, HEIGHT, longest, usual, usual_y, len(marks) < room)


def _height(mark: SlotMark, longest: float) -> float:
    if mark.status in {RunStatus.MISSED, RunStatus.LOST, RunStatus.STARTED}:
        return HEIGHT  # a hole is seen at its full height
    if mark.status == RunStatus.SKIPPED or mark.duration is None:
        return LEAST
    return _scaled(mark.duration, longest)


def _scaled(duration: float, longest: float) -> float:
    return max(LEAST, HEIGHT * math.sqrt(duration / longest)) if longest else LEAST


def numbers(marks: Sequence[SlotMark]) -> list[tuple[str, int]]:
    """How many slots have each status, the bad ones first."""
    order = (RunStatus.FAILED, RunStatus.MISSED, RunStatus.LOST, RunStatus.STARTED, RunStatus.ENDED, RunStatus.SKIPPED)
    counts = [(str(status), sum(mark.status == status for mark in marks)) for status in order]
    return [(status, number) for status, number in counts if number]
