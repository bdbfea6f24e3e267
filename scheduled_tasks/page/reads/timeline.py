"""What the timeline draws: results per hour of many jobs, from the roll-up, or each slot of a few jobs.

A slot that nobody ran has its place in both: in the roll-up it counts as missed, by itself it is a slot without a run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from scheduled_tasks.schedule.evaluator import occurrences

if TYPE_CHECKING:
    from scheduled_tasks.page.reads.catalog import Catalog, CatalogJob
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.schedule.trigger import Trigger

HOUR = timedelta(hours=1)
MAX_SLOTS = 4000  # of one picture, drawn one by one


class Cell(NamedTuple):
    """How many slots of an hour have which result; `due` are those that are not due yet."""

    ended: int = 0
    failed: int = 0
    skipped: int = 0
    missed: int = 0
    lost: int = 0
    due: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)

    def plus(self, other: Cell) -> Cell:
        """Both together."""
        return Cell(*(one + two for one, two in zip(self, other, strict=True)))


class Slot(NamedTuple):
    """One slot or run, from its start to its end; `ended_at` is None if it has none."""

    run_id: UUID | None
    job: str
    status: str
    at: datetime
    started_at: datetime
    ended_at: datetime | None
    host: str


Lanes = dict[str, dict[datetime, Cell]]  # by name, by hour


_OF_CLOCKS = """
SELECT clock, hour, sum(ended)::int, sum(failed)::int, sum(skipped)::int, sum(missed)::int, sum(lost)::int
  FROM clock_hour WHERE hour BETWEEN %(first)s AND %(last)s GROUP BY clock, hour
"""
_OF_OWNERS = """
SELECT owner, hour, sum(ended)::int, sum(failed)::int, sum(skipped)::int, sum(missed)::int, sum(lost)::int
  FROM slot_hour JOIN unnest(%(clocks)s::text[], %(jobs)s::text[], %(owners)s::text[]) AS known (clock, job, owner)
       USING (clock, job)
 WHERE hour BETWEEN %(first)s AND %(last)s GROUP BY owner, hour
"""
# A host is in no roll-up. Its slots that did not end well are few, and a partial index has them.
_OF_HOSTS = """
SELECT host, date_trunc('hour', started_at, 'UTC') AS hour, 0, count(*) FILTER (WHERE status = 'failed')::int,
       count(*) FILTER (WHERE status = 'skipped')::int, count(*) FILTER (WHERE status = 'missed')::int,
       count(*) FILTER (WHERE status = 'lost')::int
  FROM task_run
 WHERE status IN ('failed', 'missed', 'lost', 'skipped') AND started_at >= %(first)s AND started_at < %(end)s
 GROUP BY 1, 2
"""


def lanes(connection: Connection, catalog: Catalog, by: str, first: datetime, last: datetime) -> Lanes:
    """The results of each hour from a first to a last one, by clock, owner or host."""
    values: dict[str, object] = {"first": first, "last": last, "end": last + HOUR}
    query = {"owner": _OF_OWNERS, "host": _OF_HOSTS}.get(by, _OF_CLOCKS)
    if by == "owner":
        jobs = list(catalog.jobs.values())
        values |= {"clocks": [job.clock for job in jobs], "jobs": [job.job for job in jobs],
                   "owners": [job.owner or "nobody" for job in jobs]}  # fmt: skip
    found: Lanes = defaultdict(dict)
    for name, hour, *numbers in connection.execute(query, values):
        found[name or "no host"][hour] = Cell(*numbers)
    return found


def due_by_hour(jobs: Mapping[str, Sequence[CatalogJob]], now: datetime, end: datetime) -> Lanes:
    """How many slots of each lane are due in each hour from now on."""
    by_trigger: dict[Trigger, Counter[datetime]] = {}
    found: Lanes = {}
    for name, of_lane in jobs.items():
        hours: Counter[datetime] = Counter()
        for job in of_lane:
            if not job.is_timed:
                continue
            if job.trigger not in by_trigger:
                due = occurrences(job.trigger, after=now, until=end)
                by_trigger[job.trigger] = Counter(_hour(one.at) for one in due)
            times = len(job.deployed) if job.deployed[0].options.get("per_host") else 1
            for hour, number in by_trigger[job.trigger].items():
                hours[hour] += number * times
        found[name] = {hour: Cell(due=number) for hour, number in hours.items()}
    return found


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def slots(connection: Connection, clock: str, jobs: Sequence[str], first: datetime, end: datetime) -> list[Slot]:
    """Each slot of some jobs of a clock in a time, oldest first."""
    rows = connection.execute(
        "SELECT run.* FROM unnest(%(jobs)s::text[]) AS wanted (job) CROSS JOIN LATERAL ("
        " SELECT run_id, job, status, coalesce(scheduled_at, started_at), started_at, ended_at, host FROM task_run"
        "  WHERE clock = %(clock)s AND job = wanted.job AND started_at >= %(first)s AND started_at < %(end)s"
        "  ORDER BY started_at DESC LIMIT %(limit)s) AS run",
        {"clock": clock, "jobs": list(jobs), "first": first, "end": end, "limit": MAX_SLOTS // max(len(jobs), 1)},
    )
    return [Slot(*row) for row in rows]
