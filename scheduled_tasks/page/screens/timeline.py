"""Timeline: what ran and what will run around the present, by clock, host or owner, or each slot of a clock's jobs."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from scheduled_tasks.instants import parse
from scheduled_tasks.page.charts.lanes import HEIGHT, Rect, Span, bars, slot_bars, ticks
from scheduled_tasks.page.reads.timeline import Cell, Slot, due_by_hour, lanes, slots
from scheduled_tasks.page.view import View, viewing
from scheduled_tasks.schedule.evaluator import occurrences

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from scheduled_tasks.page.reads.catalog import CatalogJob

HOUR = timedelta(hours=1)
# The past and the future of each span, in hours.
SPANS = {"1h": (1, 1), "6h": (4, 2), "24h": (18, 6), "3d": (60, 12), "7d": (144, 24)}
DEFAULT_SPAN = "24h"
SLOTS_UP_TO = 24  # hours in which each slot of a clock's jobs is drawn
MAX_LANES = 100
MAX_DUE = 300  # of one job
WAYS = ("clock", "host", "owner")


class Lane(NamedTuple):
    """A lane: its name, where it leads, its bars, and how many slots have which result."""

    name: str
    link: str
    bars: list[Rect]
    numbers: Cell


def timeline(request: Request) -> Response:
    """The screen."""
    query = request.query_params
    name = query.get("span", DEFAULT_SPAN)
    past, future = SPANS.get(name, SPANS[DEFAULT_SPAN])
    by, clock = query.get("by", "clock"), query.get("clock", "")
    by = by if by in WAYS else "clock"
    with viewing(request) as view:
        centre = _centre(view, query.get("at", ""))
        span = Span(_hour(centre - past * HOUR), _hour(centre + future * HOUR) + HOUR)
        drawn = _jobs(view, clock, span) if clock else _many(view, by, span)
        step = (past + future) * HOUR / 2
        return view.render(
            "timeline",
            title=f"Timeline of {clock}" if clock else "Timeline",
            lanes=drawn,
            span=span,
            span_name=name if name in SPANS else DEFAULT_SPAN,
            spans=list(SPANS),
            ways=WAYS,
            by=by,
            clock=clock,
            ticks=ticks(span, ZoneInfo(view.times.zone_name)),
            now_x=span.x(view.now) if span.first <= view.now < span.end else None,
            height=HEIGHT,
            earlier=centre - step,
            later=centre + step,
            is_now=abs(centre - view.now) < HOUR,
        )


def _centre(view: View, at: str) -> datetime:
    """The instant around which is drawn: the present, or the one of the URL."""
    try:
        return parse(at)
    except ValueError:
        return view.now


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _many(view: View, by: str, span: Span) -> list[Lane]:
    """A lane for each clock, host or owner; those with bad slots first."""
    groups: dict[str, list[CatalogJob]] = defaultdict(list)
    if by == "clock":
        groups = view.catalog.clocks
    elif by == "owner":
        for job in view.catalog.jobs.values():
            groups[job.owner or "nobody"].append(job)
    past = lanes(view.connection, view.catalog, by, span.first, min(span.end, view.now))
    future = due_by_hour(groups, view.now, span.end) if span.end > view.now else {}
    names = sorted({*past, *groups, *(view.catalog.hosts if by == "host" else ())})
    merged = {
        name: {
            hour: past.get(name, {}).get(hour, Cell()).plus(future.get(name, {}).get(hour, Cell()))
            for hour in {*past.get(name, {}), *future.get(name, {})}
        }
        for name in names
    }
    links = {"clock": "/timeline?clock={}", "owner": "/jobs?owner={}", "host": "/jobs?host={}"}
    drawn = [
        Lane(
            name,
            links[by].format(name),
            bars(span, cells, max((cell.total for cell in cells.values()), default=1)),
            _sum(cells.values()),
        )
        for name, cells in merged.items()
    ]
    drawn.sort(key=lambda lane: not (lane.numbers.failed or lane.numbers.missed or lane.numbers.lost))
    return drawn[:MAX_LANES]


def _sum(cells: object) -> Cell:
    total = Cell()
    for cell in cells:  # type: ignore[attr-defined]
        total = total.plus(cell)
    return total


def _jobs(view: View, clock: str, span: Span) -> list[Lane]:
    """A lane for each job of a clock, with a bar for each slot."""
    jobs = view.catalog.clocks.get(clock, [])[:MAX_LANES]
    by_job: dict[str, list[Slot]] = defaultdict(list)
    for slot in slots(view.connection, clock, [job.job for job in jobs], span.first, min(span.end, view.now)):
        by_job[slot.job].append(slot)
    drawn = []
    for job in jobs:
        of_job = by_job[job.job]
        rects = [*_coming(view, job, span), *slot_bars(span, of_job, view.now)]
        drawn.append(Lane(job.job, f"/job/{clock}/{job.job}", rects, _numbers(of_job)))
    return drawn


def _coming(view: View, job: CatalogJob, span: Span) -> list[Rect]:
    if not job.is_timed or span.end <= view.now:
        return []
    due = islice(occurrences(job.trigger, after=max(view.now, span.first), until=span.end), MAX_DUE)
    return [
        Rect(min(span.x(one.at), 99.5), 9, 0.5, HEIGHT - 18, "due", f"due {view.times.text(one.at)}") for one in due
    ]


def _numbers(found: list[Slot]) -> Cell:
    return Cell(**{name: sum(slot.status == name for slot in found) for name in Cell._fields if name != "due"})
