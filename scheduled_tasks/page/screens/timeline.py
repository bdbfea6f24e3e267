"""Timeline: what ran and what will run around the present, by clock, host or owner, or of a clock's jobs.

Of a clock's jobs each slot is drawn, unless they are too many to be seen: then how many have which result.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from scheduled_tasks.instants import parse, rfc3339
from scheduled_tasks.page.charts.lanes import (
    HEIGHT,
    PITCH,
    ColumnLink,
    Rect,
    Shapes,
    Span,
    bars,
    grid,
    slot_bars,
    ticks,
)
from scheduled_tasks.page.reads import timeline as counts
from scheduled_tasks.page.reads.timeline import HOUR, Cell, Lanes, Slot
from scheduled_tasks.page.view import View, job_path, viewing
from scheduled_tasks.schedule.evaluator import TICK, occurrences

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from scheduled_tasks.page.reads.catalog import CatalogJob
    from scheduled_tasks.schedule.trigger import Trigger


class Choice(NamedTuple):
    """A span to choose: its past and its future, and how long a column is where results are counted."""

    past: timedelta
    future: timedelta
    column: timedelta = HOUR


SPANS = {
    "1h": Choice(1 * HOUR, 1 * HOUR),
    "6h": Choice(4 * HOUR, 2 * HOUR),
    "24h": Choice(18 * HOUR, 6 * HOUR),
    "3d": Choice(60 * HOUR, 12 * HOUR),
    "7d": Choice(144 * HOUR, 24 * HOUR, 4 * HOUR),
}
DEFAULT_SPAN = "24h"
CLOSER, DAY = "6h", 24 * HOUR  # the span to which a bar of more than a day leads
WAYS = ("clock", "host", "owner")
MAX_LANES = 100  # of one page
MAX_SLOTS = 4000  # of one picture, drawn one by one
EPOCH = datetime.fromtimestamp(0, UTC)


class Lane(NamedTuple):
    """A lane: its name, where it leads, what is drawn, and how many slots have which result."""

    name: str
    link: str
    shapes: Shapes
    numbers: Cell


class Picture(NamedTuple):
    """The lanes of one page.

    Attributes:
        number: how many lanes all pages have.
        newest: if not each slot of a job is drawn, how many of the newest ones are; otherwise 0.
    """

    lanes: list[Lane]
    page: int
    number: int
    newest: int = 0


def timeline(request: Request) -> Response:
    """The screen."""
    query = request.query_params
    name = query.get("span", "") if query.get("span") in SPANS else DEFAULT_SPAN
    by = query.get("by", "") if query.get("by") in WAYS else "clock"
    clock, find, page = query.get("clock", ""), query.get("q", "").strip(), _page(query.get("page", ""))
    chosen = SPANS[name]
    with viewing(request) as view:
        centre = _centre(view, query.get("at", ""))
        span = _span(centre, chosen)
        picture = _jobs(view, clock, span, find, page) if clock else _many(view, by, span, find, page)
        marks = ticks(span, ZoneInfo(view.times.zone_name))
        shift = (chosen.past + chosen.future) / 2
        return view.render(
            "timeline",
            title=f"Timeline of {clock}" if clock else "Timeline",
            picture=picture,
            find=find,
            page=picture.page,
            pages=_pages(picture.number),
            most=MAX_LANES,
            span=span,
            span_name=name,
            spans=list(SPANS),
            ways=WAYS,
            by=by,
            clock=clock,
            ticks=marks,
            grid=grid(marks, span.columns),
            units=span.columns * PITCH,
            now_x=span.x(view.now) if span.first <= view.now < span.end else None,
            height=HEIGHT,
            earlier=centre - shift,
            later=centre + shift,
            is_now=abs(centre - view.now) < HOUR,
        )


def _page(text: str) -> int:
    return max(int(text), 1) if text.isdecimal() and len(text) < 6 else 1  # noqa: PLR2004 - a million pages


def _centre(view: View, at: str) -> datetime:
    """The instant around which is drawn: the present, or the one of the URL."""
    try:
        return parse(at)
    except ValueError:
        return view.now


def _span(centre: datetime, chosen: Choice) -> Span:
    """The columns around an instant. Each begins at a multiple of its length, so that its slots stay together."""
    first = centre - chosen.past
    first -= (first - EPOCH) % chosen.column
    columns = -(-(centre + chosen.future - first) // chosen.column)
    return Span(first.astimezone(UTC), chosen.column, columns)


def _many(view: View, by: str, span: Span, find: str, page: int) -> Picture:
    """A lane for each clock, host or owner; those with bad slots first."""
    starts = view.catalog.starts.get(by, {})
    cells = _with_due(view, counts.lanes(view.connection, view.catalog, by, span), starts, span)
    names = _found(find, {*cells, *starts, *(view.catalog.hosts if by == "host" else ())})
    numbers = {name: counts.total(cells.get(name, {}).values()) for name in names}
    lanes, columns = [], _links(view, span)
    page, shown = _one_page(names, {name for name in names if _is_bad(numbers[name])}, page)
    for name in shown:
        closer = f"/timeline?{urlencode({'clock': name} if by == 'clock' else {'by': by})}"
        link = closer if by == "clock" else f"/jobs?{urlencode({by: name})}"
        lanes.append(Lane(name, link, bars(span, cells.get(name, {}), columns, closer), numbers[name]))
    return Picture(lanes, page, number=len(names))


def _jobs(view: View, clock: str, span: Span, find: str, page: int) -> Picture:
    """A lane for each job of a clock; those with bad slots first."""
    of_clock = {job.job: job for job in view.catalog.clocks.get(clock, [])}
    jobs = {name: of_clock[name] for name in _found(find, of_clock)}
    bad = counts.with_bad_slots(view.connection, clock, span)
    page, names = _one_page(jobs, bad, page)
    shown = [jobs[name] for name in names]
    cells = _with_due(view, counts.job_lanes(view.connection, clock, names, span), _starts(shown), span)
    numbers = {name: counts.total(cells.get(name, {}).values()) for name in names}
    if sum(cell.total for cell in numbers.values()) > MAX_SLOTS:
        lanes, columns = [], _links(view, span)
        for name in names:
            shapes = bars(span, cells.get(name, {}), columns, f"/timeline?{urlencode({'clock': clock})}")
            lanes.append(Lane(name, job_path(clock, name), shapes, numbers[name]))
        return Picture(lanes, page, number=len(jobs))
    limit = MAX_SLOTS if view.now - span.first < counts.JOB_HOURS_KEPT else MAX_SLOTS // max(len(names), 1)
    by_job: dict[str, list[Slot]] = defaultdict(list)
    for slot in counts.slots(view.connection, clock, names, span, limit):
        by_job[slot.job].append(slot)
    lanes = [_each_slot(view, job, span, by_job[job.job], numbers[job.job].due) for job in shown]
    is_cut = any(len(found) == limit for found in by_job.values())
    return Picture(lanes, page, number=len(jobs), newest=limit if is_cut else 0)


def _starts(jobs: Iterable[CatalogJob]) -> dict[str, dict[Trigger, int]]:
    return {job.job: {job.trigger: job.slots_at_once} for job in jobs if job.is_timed}


def _found(find: str, names: Iterable[str]) -> list[str]:
    """The names that have all words of a text."""
    words = find.lower().split()
    return [name for name in names if all(word in name.lower() for word in words)]


def _one_page(names: Collection[str], bad: Container[str], page: int) -> tuple[int, list[str]]:
    """A page's number, at most the last one's, and its names, of all those with bad slots first."""
    page = min(page, max(_pages(len(names)), 1))
    ordered = sorted(names, key=lambda name: (name not in bad, name))
    return page, ordered[(page - 1) * MAX_LANES : page * MAX_LANES]


def _pages(number: int) -> int:
    return -(-number // MAX_LANES)


def _is_bad(cell: Cell) -> bool:
    return bool(cell.failed or cell.missed or cell.lost)


def _with_due(view: View, past: Lanes, starts: Mapping[str, Mapping[Trigger, int]], span: Span) -> Lanes:
    """The counts of the past with those of what is due."""
    if span.end <= view.now:
        return past
    for name, columns in counts.due_in_columns(starts, view.now, span).items():
        lane = past.setdefault(name, {})
        for column, cell in columns.items():
            lane[column] = lane.get(column, Cell())._replace(due=cell.due)
    return past


def _links(view: View, span: Span) -> list[ColumnLink]:
    """Each column, leading to a shorter time around it."""
    closer = CLOSER if span.step * span.columns > DAY else "1h"
    return [
        ColumnLink(
            view.times.text(span.at(column)),
            urlencode({"span": closer, "at": rfc3339(span.at(column) + span.step / 2)}),
        )
        for column in range(span.columns)
    ]


def _each_slot(view: View, job: CatalogJob, span: Span, slots: Sequence[Slot], due: int) -> Lane:
    """The lane of a job with each of its slots."""
    statuses = Counter(slot.status for slot in slots)
    numbers = Cell(**{name: statuses[name] for name in Cell._fields if name != "due"}, due=due)
    rects = [*_coming(view, job, span), *slot_bars(span, slots, view.now)]
    return Lane(job.job, job_path(job.clock, job.job), Shapes({}, rects), numbers)


def _coming(view: View, job: CatalogJob, span: Span) -> list[Rect]:
    if not job.is_timed or span.end <= view.now:
        return []
    due = occurrences(job.trigger, after=max(view.now, span.first), until=span.end - TICK)
    return [
        Rect(min(span.x(one.at), 99.5), 9, 0.5, HEIGHT - 18, "due", f"due {view.times.text(one.at)}") for one in due
    ]
