"""Add up results: how many slots ended, failed, … per job and hour, per clock and hour, and per clock for good.

Input are the rows of `slot_change`, which triggers write with each result (migrations/0005), and once for each clock
its rows of `task_run`. Output are `slot_hour` and `clock_hour`, which follow the present status of each slot, and
`clock_total` and `clock_duration`, which only grow. Any number of watches can do it at once: one has the lock, and each
change is added and deleted by one statement.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduled_tasks.run.database import Connection

# From a query of a tenth of a second to a batch of half a day: about three buckets for each factor of ten.
BOUNDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 10800.0, 43200.0)  # seconds
RESULTS = tuple(status.value for status in RunStatus if status is not RunStatus.STARTED)
BATCH_ROWS = 50_000
CLOCKS_AT_ONCE = 20  # that are counted for the first time: the rows of all clocks are on the same pages
MAX_SECONDS = 20.0  # of one pass of the watch; the next one continues

_HOUR = "date_trunc('hour', scheduled_at, 'UTC')"
_COLUMNS = ", ".join(RESULTS)
_SUMS = ", ".join(f"sum({status})" for status in RESULTS)
_ADDED = ", ".join(f"{status} = known.{status} + excluded.{status}" for status in RESULTS)
_IN_HOUR = f"{_ADDED}, seconds = known.seconds + excluded.seconds, longest = greatest(known.longest, excluded.longest)"
_BUCKET = "coalesce((SELECT max(bound) FROM unnest(%(bounds)s::float[]) AS bound WHERE bound < duration), 0)"

# `hours` has, per job and hour, by how many each count changes; `results` what was recorded.
_ADD = f"""
, jobs AS (
    INSERT INTO slot_hour AS known (clock, job, hour, {_COLUMNS}, seconds, longest)
    SELECT clock, job, hour, {_COLUMNS}, seconds, longest FROM hours WHERE hour > now() - interval '35 days'
    ON CONFLICT (clock, job, hour) DO UPDATE SET {_IN_HOUR}
), clocks AS (
    INSERT INTO clock_hour AS known (clock, hour, {_COLUMNS}, seconds, longest)
    SELECT clock, hour, {_SUMS}, sum(seconds), max(longest) FROM hours WHERE hour > now() - interval '400 days'
     GROUP BY clock, hour
    ON CONFLICT (hour, clock) DO UPDATE SET {_IN_HOUR}
), durations AS (
    INSERT INTO clock_duration AS known (clock, longer_than, runs)
    SELECT clock, {_BUCKET}, count(*) FROM results WHERE duration IS NOT NULL GROUP BY 1, 2
    ON CONFLICT (clock, longer_than) DO UPDATE SET runs = known.runs + excluded.runs
)
INSERT INTO clock_total AS known (clock, {_COLUMNS}, runs, seconds)
SELECT clock, {", ".join(f"count(*) FILTER (WHERE status = '{status}' AND is_slot)" for status in RESULTS)},
       count(duration), coalesce(sum(duration), 0) FROM results GROUP BY clock
ON CONFLICT (clock) DO UPDATE
   SET {_ADDED}, runs = known.runs + excluded.runs, seconds = known.seconds + excluded.seconds
"""  # noqa: S608 - our own text

_DRAIN = f"""
WITH results AS (
    DELETE FROM slot_change WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM slot_change WHERE clock IN (SELECT clock FROM clock_total) LIMIT %(rows)s))
    RETURNING *, scheduled_at IS NOT NULL AS is_slot
), hours AS (
    SELECT clock, job, {_HOUR} AS hour,
           {
    ", ".join(
        f"count(*) FILTER (WHERE status = '{status}') - count(*) FILTER (WHERE was = '{status}') AS {status}"
        for status in RESULTS
    )
},
           coalesce(sum(duration), 0) AS seconds, coalesce(max(duration), 0) AS longest
      FROM results WHERE is_slot GROUP BY 1, 2, 3
)
{_ADD}
"""  # noqa: S608 - our own text

# The first time, the rows of a clock are counted as they are. One statement sees the same rows of both tables: what the
# changes say is in the rows that it counts, so they are dropped.
_COUNT_CLOCKS = f"""
WITH dropped AS (
    DELETE FROM slot_change WHERE clock = ANY (%(clocks)s)
), results AS (
    SELECT clock, job, scheduled_at, status, duration, (slot_host, scheduled_at) IS NOT NULL AS is_slot FROM task_run
     WHERE clock = ANY (%(clocks)s) AND job IS NOT NULL AND status <> 'started'
    UNION ALL SELECT clock, NULL, NULL, NULL, NULL, false FROM unnest(%(clocks)s::text[]) AS clock
), hours AS (
    SELECT clock, job, {_HOUR} AS hour,
           {", ".join(f"count(*) FILTER (WHERE status = '{status}') AS {status}" for status in RESULTS)},
           coalesce(sum(duration), 0) AS seconds, coalesce(max(duration), 0) AS longest
      FROM results WHERE is_slot GROUP BY 1, 2, 3
)
{_ADD}
"""  # noqa: S608 - our own text

# The clocks of the ledger, one probe of its index for each.
_UNCOUNTED = """
WITH RECURSIVE known AS (
    (SELECT clock FROM task_run WHERE clock IS NOT NULL ORDER BY clock LIMIT 1)
    UNION ALL
    SELECT (SELECT clock FROM task_run WHERE clock > known.clock ORDER BY clock LIMIT 1)
      FROM known WHERE clock IS NOT NULL
)
SELECT clock FROM (
    SELECT clock FROM known UNION SELECT clock FROM slot_change UNION SELECT clock FROM deployed_job
) AS clocks WHERE clock IS NOT NULL AND clock NOT IN (SELECT clock FROM clock_total) ORDER BY clock
"""


def count_slots(connection: Connection, max_seconds: float = MAX_SECONDS) -> int:
    """Add up the changes since the last time; return how many clocks had some. 0 if another watch is doing it."""
    import psycopg  # loaded with the connection

    until, clocks, changed = time.monotonic() + max_seconds, 0, 1
    try:
        uncounted = [clock for (clock,) in connection.execute(_UNCOUNTED).fetchall()]
        for start in range(0, len(uncounted), CLOCKS_AT_ONCE):
            clocks += _count_clocks(connection, uncounted[start : start + CLOCKS_AT_ONCE])
            if time.monotonic() > until:
                break
        while changed:
            with _locked(connection):
                changed = connection.execute(_DRAIN, {"rows": BATCH_ROWS, "bounds": list(BOUNDS)}).rowcount
            clocks += changed
            if time.monotonic() > until:
                break
    except psycopg.errors.LockNotAvailable:
        return 0
    return clocks


def _count_clocks(connection: Connection, clocks: Sequence[str]) -> int:
    """Count clocks for the first time, but those that another watch has counted since they were found."""
    with _locked(connection):
        counted = {clock for (clock,) in connection.execute("SELECT clock FROM clock_total").fetchall()}
        if not (uncounted := [clock for clock in clocks if clock not in counted]):
            return 0
        connection.execute("SELECT set_config('statement_timeout', '8min', true)")  # the watch has ten minutes
        return connection.execute(_COUNT_CLOCKS, {"clocks": uncounted, "bounds": list(BOUNDS)}).rowcount


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    """A transaction in which no other watch counts. Each statement in it sees what was committed before it."""
    with connection.transaction():
        connection.execute("LOCK TABLE clock_total IN SHARE ROW EXCLUSIVE MODE NOWAIT")
        yield
