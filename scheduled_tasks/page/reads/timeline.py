"""What the timeline draws: results per column of many lanes, from the roll-ups, or each slot of a few jobs.

A slot that nobody ran has its place in both: in the roll-up it counts as missed, by itself it is a slot without a run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from scheduled_tasks.operate.status import IS_BAD
from scheduled_tasks.page.reads.catalog import NOBODY
from scheduled_tasks.schedule.evaluator import TICK, occurrences

if TYPE_CHECKING:
    from scheduled_tasks.page.charts.lanes import Span
    from scheduled_tasks.page.reads.catalog import Catalog
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.schedule.trigger import Trigger

HOUR = timedelta(hours=1)
JOB_HOURS_KEPT = timedelta(days=35)  # for which there is a count for each hour of each job (operate/prune.py)


class Cell(NamedTuple):
    """How many slots of a column have which result; `due` are those that are not due yet."""

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


class Slot(NamedTuple):
    """One slot or run, from its start to its end; `ended_at` is None if it has none."""

    run_id: UUID | None
    job: str
    status: str
    at: datetime
    started_at: datetime
    ended_at: datetime | None
    host: str


Lanes = dict[str, dict[int, Cell]]  # by name, by column

# The roll-ups have hours; a column is one or several.
_COLUMN = "((extract(epoch FROM hour)::bigint - %(epoch)s) / %(step)s)::int AS number"
_SUMS = "sum(ended)::int, sum(failed)::int, sum(skipped)::int, sum(missed)::int, sum(lost)::int"
_SHOWN = "hour >= %(first)s AND hour < %(end)s"
_OF_CLOCKS = f"SELECT clock, {_COLUMN}, {_SUMS} FROM clock_hour WHERE {_SHOWN} GROUP BY clock, number"  # noqa: S608 - our own text
_OF_JOBS = f"""
SELECT job, {_COLUMN}, {_SUMS} FROM slot_hour
 WHERE clock = %(clock)s AND job = ANY (%(jobs)s) AND {_SHOWN} GROUP BY job, number
"""  # noqa: S608 - our own text
# Most clocks have one owner, and a row for each hour; of the others, each job is read.
_OF_OWNERS = f"""
SELECT owner, {_COLUMN}, {_SUMS}
  FROM (
    SELECT known.owner, counts.* FROM unnest(%(single)s::text[], %(single_owners)s::text[]) AS known (clock, owner)
      JOIN (SELECT clock, hour, ended, failed, skipped, missed, lost FROM clock_hour WHERE {_SHOWN}) AS counts
     USING (clock)
    UNION ALL
    SELECT known.owner, counts.clock, counts.hour, ended, failed, skipped, missed, lost
      FROM unnest(%(clocks)s::text[], %(jobs)s::text[], %(owners)s::text[]) AS known (clock, job, owner)
      JOIN slot_hour AS counts USING (clock, job) WHERE {_SHOWN}
  ) AS counted GROUP BY owner, number
"""  # noqa: S608 - our own text
# A host is in no roll-up. Its slots that did not end well are few, and a partial index has them.
_OF_HOSTS = f"""
SELECT host, {_COLUMN}, 0, count(*) FILTER (WHERE status = 'failed')::int,
       count(*) FILTER (WHERE status = 'skipped')::int, count(*) FILTER (WHERE status = 'missed')::int,
       count(*) FILTER (WHERE status = 'lost')::int
  FROM (SELECT host, status, date_trunc('hour', started_at, 'UTC') AS hour FROM task_run
         WHERE status IN ('failed', 'missed', 'lost', 'skipped') AND started_at >= %(first)s AND started_at < %(end)s
       ) AS run
 GROUP BY host, number
"""  # noqa: S608 - our own text


def lanes(connection: Connection, catalog: Catalog, by: str, span: Span) -> Lanes:
    """The results in each column, by clock, owner or host."""
    values = _span_values(span)
    if by == "owner":
        values |= _owners(catalog)
    return _read(connection, {"owner": _OF_OWNERS, "host": _OF_HOSTS}.get(by, _OF_CLOCKS), values)


def job_lanes(connection: Connection, clock: str, jobs: Sequence[str], span: Span) -> Lanes:
    """The results in each column of some jobs of a clock."""
    return _read(connection, _OF_JOBS, _span_values(span) | {"clock": clock, "jobs": list(jobs)})


def _read(connection: Connection, query: str, values: Mapping[str, object]) -> Lanes:
    found: Lanes = defaultdict(dict)
    for name, column, *numbers in connection.execute(query, values):
        found[name or "no host"][column] = Cell(*numbers)
    return found


def _span_values(span: Span) -> dict[str, object]:
    return {"first": span.first, "end": span.end, "epoch": int(span.first.timestamp()),
            "step": int(span.step.total_seconds())}  # fmt: skip


def _owners(catalog: Catalog) -> dict[str, object]:
    owners = {clock: {job.owner or NOBODY for job in jobs} for clock, jobs in catalog.clocks.items()}
    single = [clock for clock, names in owners.items() if len(names) == 1]
    jobs = [job for clock, names in owners.items() if len(names) > 1 for job in catalog.clocks[clock]]
    return {"single": single, "single_owners": [next(iter(owners[clock])) for clock in single],
            "clocks": [job.clock for job in jobs], "jobs": [job.job for job in jobs],
            "owners": [job.owner or NOBODY for job in jobs]}  # fmt: skip


def due_in_columns(starts: Mapping[str, Mapping[Trigger, int]], now: datetime, span: Span) -> Lanes:
    """How many slots of each lane are due in each column from now on; `starts` has the schedules of each lane."""
    by_trigger: dict[Trigger, Counter[int]] = {}
    found: Lanes = {}
    for name, of_lane in starts.items():
        columns: Counter[int] = Counter()
        for trigger, number in of_lane.items():
            if trigger not in by_trigger:
                by_trigger[trigger] = _due(trigger, now, span)
            for column, times in by_trigger[trigger].items():
                columns[column] += times * number
        found[name] = {column: Cell(due=number) for column, number in columns.items()}
    return found


def _due(trigger: Trigger, now: datetime, span: Span) -> Counter[int]:
    """How many times a trigger is due in each column from now on."""
    columns: Counter[int] = Counter()
    following = hour_of(now) + HOUR
    if span.first < following:
        until = min(following, span.end) - TICK
        if times := sum(1 for _ in occurrences(trigger, after=max(now, span.first - TICK), until=until)):
            columns[(now - span.first) // span.step] += times
    for hour, times in _hours(trigger, max(following, span.first), span.end).items():
        columns[(hour - span.first) // span.step] += times
    return columns


@lru_cache(maxsize=4096)
def _hours(trigger: Trigger, first: datetime, end: datetime) -> Counter[datetime]:
    """How many times a trigger is due in each hour: kept, since one of each second takes a tenth of a second a day."""
    until = end - TICK
    return Counter(hour_of(one.at) for one in occurrences(trigger, after=first - TICK, until=until))


def hour_of(at: datetime) -> datetime:
    """When the hour began in which an instant is."""
    return at.replace(minute=0, second=0, microsecond=0)


def with_bad_slots(connection: Connection, clock: str, span: Span) -> set[str]:
    """The jobs of a clock that have a slot in a time that failed, was missed or was lost."""
    rows = connection.execute(
        f"SELECT DISTINCT job FROM task_run WHERE clock = %(clock)s AND {IS_BAD}"  # noqa: S608 - our own text
        "  AND started_at >= %(first)s AND started_at < %(end)s AND job IS NOT NULL",
        {"clock": clock, "first": span.first, "end": span.end},
    )
    return {job for (job,) in rows}


def slots(connection: Connection, clock: str, jobs: Sequence[str], span: Span, limit: int) -> list[Slot]:
    """Each slot of some jobs of a clock in a time, oldest first; of a job with more than `limit`, the newest."""
    rows = connection.execute(
        "SELECT run.* FROM unnest(%(jobs)s::text[]) AS wanted (job) CROSS JOIN LATERAL ("
        " SELECT run_id, job, status, coalesce(scheduled_at, started_at), started_at, ended_at, host FROM task_run"
        "  WHERE clock = %(clock)s AND job = wanted.job AND started_at >= %(first)s AND started_at < %(end)s"
        "  ORDER BY started_at DESC LIMIT %(limit)s) AS run",
        {"clock": clock, "jobs": list(jobs), "first": span.first, "end": span.end, "limit": limit},
    )
    return [Slot(*row) for row in rows]


def total(cells: Iterable[Cell]) -> Cell:
    """All cells together."""
    return Cell(*map(sum, zip(*cells, strict=True)))
