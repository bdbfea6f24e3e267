"""The lanes of the timeline: what is an element of its own, where it is, and the marks of the axis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduled_tasks.page.charts.lanes import ColumnLink, Span, bars, slot_bars, ticks
from scheduled_tasks.page.reads.timeline import Cell, Slot

HOUR = timedelta(hours=1)
FIRST = datetime(2026, 11, 24, 6, tzinfo=UTC)
SPAN = Span(FIRST, HOUR, 4)
COLUMNS = [ColumnLink(f"column {number}", f"at={number}") for number in range(4)]


def test_results_of_which_there_are_many_are_one_path_and_a_bad_one_is_an_element_with_a_link() -> None:
    shapes = bars(
        SPAN, {0: Cell(ended=90, missed=10), 1: Cell(ended=100), 3: Cell(due=25)}, COLUMNS, "/timeline?by=host"
    )
    assert shapes.paths == {"ended": "M1 6.6h14v19.4h-14zM17 0h14v26h-14z", "due": "M49 13h14v13h-14z"}
    [hole] = shapes.rects
    assert (hole.status, hole.title, hole.link) == ("missed", "10 missed, column 0", "/timeline?by=host&at=0")
    assert (hole.x, hole.y, hole.width, hole.height) == (1.562, 0.0, 21.875, 6.6)


def test_one_bad_slot_of_ten_thousand_is_still_seen() -> None:
    [failed] = bars(SPAN, {2: Cell(ended=9_999, failed=1)}, COLUMNS, "").rects
    assert failed.height == 5.0


def test_a_short_run_of_a_job_with_few_slots_is_wider_than_one_of_many() -> None:
    def run(number: int) -> Slot:
        at = FIRST + number * timedelta(minutes=1)
        return Slot(None, "count", "ended", at, at, at, "app1")

    assert [bar.width for bar in slot_bars(SPAN, [run(1)], FIRST)] == [1.0]
    assert {bar.width for bar in slot_bars(SPAN, [run(number) for number in range(200)], FIRST)} == {0.35}


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Europe/Paris", [(0.0, "07:00"), (25.0, "08:00"), (50.0, "09:00"), (75.0, "10:00")]),
        ("Asia/Kolkata", [(12.5, "12:00"), (37.5, "13:00"), (62.5, "14:00"), (87.5, "15:00")]),
        ("Asia/Kathmandu", [(6.25, "12:00"), (31.25, "13:00"), (56.25, "14:00"), (81.25, "15:00")]),
    ],
)
def test_the_axis_has_whole_hours_of_the_readers_zone(zone: str, expected: list[tuple[float, str]]) -> None:
    assert [(tick.x, tick.text) for tick in ticks(SPAN, ZoneInfo(zone))] == expected
