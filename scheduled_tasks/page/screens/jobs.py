"""Jobs: a block for each clock, which loads its jobs when it is opened; or the jobs that a filter of the URL finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.operate import pauses, status
from scheduled_tasks.page.charts.lanes import HEIGHT, PITCH, ColumnLink, Shapes, Span, bars
from scheduled_tasks.page.reads.slots import running
from scheduled_tasks.page.reads.timeline import HOUR, Cell, hour_of, lanes, total
from scheduled_tasks.page.view import View, viewing
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from scheduled_tasks.operate.slots import Pause
    from scheduled_tasks.operate.status import JobStatus
    from scheduled_tasks.page.reads.catalog import CatalogJob

PAGE = 100  # jobs of one page
OPEN_UP_TO = 40  # jobs: so many are shown without opening a block
STATES = ("bad", "missed", "running", "paused")
HOURS = 24  # of a clock's strip, with the current one
RESULTS = ("missed", "lost", "failed", "skipped", "ended")


class Strip(NamedTuple):
    """What a clock did in the last hours: a bar for each, and the same in words."""

    shapes: Shapes
    text: str
    units: int = HOURS * PITCH
    height: int = HEIGHT


class Filter(NamedTuple):
    """What the URL asks for; "" for everything."""

    q: str = ""
    state: str = ""
    owner: str = ""
    host: str = ""
    clock: str = ""

    def matches(self, job: CatalogJob) -> bool:
        """Whether a job has the owner, the host, the clock and the words."""
        words = self.q.lower().split()
        text = f"{job.name} {job.task} {job.owner}".lower()
        return (
            self.clock in {"", job.clock}
            and self.owner in {"", job.owner}
            and (not self.host or self.host in job.hosts)
            and all(word in text for word in words)
        )


class Block(NamedTuple):
    """A clock with numbers of its jobs, and its jobs if they are shown."""

    clock: str
    number: int
    bad: int
    missed: int
    running: int
    paused: int
    jobs: Sequence[JobStatus] | None


def jobs(request: Request) -> Response:
    """The screen; with the header of htmx, only its results."""
    with viewing(request) as view:
        wanted = Filter(**{name: request.query_params.get(name, "") for name in Filter._fields})
        active = pauses.active(view.connection, view.now)
        states = _States(view, active)
        found = [job for key, job in view.catalog.jobs.items() if wanted.matches(job) and states.has(wanted.state, key)]
        values: dict[str, Any] = {
            "title": "Jobs", "filter": wanted, "number": len(found), "total": len(view.catalog.jobs), "states": STATES,
            "owners": view.catalog.owners, "hosts": view.catalog.hosts,
            "strips": {} if any(wanted) else _strips(view),
        }  # fmt: skip
        if any(wanted) or len(view.catalog.jobs) <= OPEN_UP_TO:
            after = request.query_params.get("after", "")
            page = [job for job in found if job.name > after][: PAGE + 1]
            following = page[PAGE - 1].name if len(page) > PAGE else ""
            return view.render("jobs", **values, blocks=_blocks(view, page[:PAGE], states), following=following)
        return view.render("jobs", **values, blocks=_closed(found, states), following="")


def clock_jobs(request: Request) -> Response:
    """The jobs of one clock: what a block loads, or a screen of its own."""
    with viewing(request) as view:
        clock = request.path_params["clock"]
        after = request.query_params.get("after", "")
        of_clock = [job for job in view.catalog.clocks.get(clock, []) if job.job > after]
        page = of_clock[:PAGE]
        statuses = _statuses(view, page)
        following = page[-1].job if len(of_clock) > PAGE else ""
        return view.render(
            "clock_jobs",
            title=f"Jobs of {clock}",
            clock=clock,
            jobs=statuses,
            following=following,
            strip=_strips(view).get(clock) if of_clock else None,
            pauses=[pause for pause in pauses.active(view.connection, view.now) if _is_of_whole(pause, clock)],
        )


def _strips(view: View) -> Mapping[str, Strip]:
    """The last 24 hours of each clock."""
    span = Span(hour_of(view.now) - (HOURS - 1) * HOUR, HOUR, HOURS)
    columns = [ColumnLink(f"from {view.times.text(span.at(column))}", "") for column in range(HOURS)]
    hours = lanes(view.connection, view.catalog, "clock", span)
    # Without links: a click on a strip opens its block.
    return {clock: Strip(bars(span, cells, columns), _in_words(cells.values())) for clock, cells in hours.items()}


def _in_words(cells: Iterable[Cell]) -> str:
    totals = total(cells)
    words = [f"{number} {result}" for result in RESULTS if (number := getattr(totals, result))]
    return f"Last {HOURS} hours: {', '.join(words)}"


def _is_of_whole(pause: Pause, clock: str) -> bool:
    return pause.scope.clock in {None, clock} and not pause.scope.job


class _States:
    """Which jobs are bad, running or paused now; each is read when it is first asked for."""

    def __init__(self, view: View, active: Sequence[Pause]) -> None:
        self._view, self._active = view, active
        bad = status.jobs(view.connection, view.now, bad_only=True)
        self.bad = {(job.clock, job.job) for job in bad}
        self.missed = {
            (job.clock, job.job) for job in bad if any(failure.status == RunStatus.MISSED for failure in job.failures)
        }
        self.running = {(run.clock or "", run.job or "") for run in running(view.connection, view.now)}
        self.paused = {
            key
            for key, job in view.catalog.jobs.items()
            if not job.is_timed or any(pause.covers(*key, host) for pause in active for host in job.hosts)
        }

    def has(self, state: str, key: tuple[str, str]) -> bool:
        if state not in STATES:
            return True
        return key in getattr(self, state)

    def number(self, state: str, keys: Iterable[tuple[str, str]]) -> int:
        return sum(key in getattr(self, state) for key in keys)


def _statuses(view: View, page: Sequence[CatalogJob]) -> list[JobStatus]:
    return status.jobs(view.connection, view.now, among=[(job.clock, job.job) for job in page])


def _blocks(view: View, page: Sequence[CatalogJob], states: _States) -> list[Block]:
    """Open blocks of the jobs of one page."""
    by_clock: dict[str, list[JobStatus]] = {}
    for job in _statuses(view, page):
        by_clock.setdefault(job.clock, []).append(job)
    return [
        Block(clock, len(of_clock), *_numbers(states, [(job.clock, job.job) for job in of_clock]), of_clock)
        for clock, of_clock in by_clock.items()
    ]


def _closed(found: Sequence[CatalogJob], states: _States) -> list[Block]:
    """Blocks that load their jobs when they are opened; the clocks with bad jobs first."""
    numbers = Counter(job.clock for job in found)
    keys: dict[str, list[tuple[str, str]]] = {clock: [] for clock in numbers}
    for job in found:
        keys[job.clock].append((job.clock, job.job))
    blocks = [Block(clock, numbers[clock], *_numbers(states, keys[clock]), None) for clock in numbers]
    return sorted(blocks, key=lambda block: not block.bad)


def _numbers(states: _States, keys: Sequence[tuple[str, str]]) -> tuple[int, int, int, int]:
    bad, missed, running_now, paused = (states.number(state, keys) for state in STATES)
    return bad, missed, running_now, paused
