"""Read the runs that may explain why other slots of their job have no row, for verdicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from scheduled_tasks.operate.slots import MAX_START_DELAY, DeployedJob, RunInterval, Slot

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

# Two index scans per job. A run that is still `started` counts until it expires. Slots are instants of a host's
# clock, which may differ from the database's; by the host's, a run started at its nominal time plus its lag.
# A row with values that overflow (the table's constraints refuse them) must not stop the account.
_RUN_INTERVALS = """
SELECT job.clock, job.job, run.host, run.scheduled_at, started.at,
       CASE WHEN least(run.ended_at, run.started_at) > '2000-01-01Z'
             AND greatest(run.ended_at, run.started_at) < '2200-01-01Z'
            THEN started.at + (run.ended_at - run.started_at) END AS ended_at,
       run.trigger = 'timer' AS is_timers
FROM unnest(%(clocks)s::text[], %(jobs)s::text[], %(low)s::timestamptz[], %(high)s::timestamptz[],
            %(last)s::timestamptz[]) AS job (clock, job, low, high, last)
CROSS JOIN LATERAL (
    (SELECT host, scheduled_at, trigger, lag, started_at,
            CASE WHEN status = 'started' THEN expires_at ELSE coalesce(ended_at, started_at) END AS ended_at
       FROM task_run
      WHERE clock = job.clock AND job = job.job AND started_at BETWEEN job.low AND job.high
        AND status IN ('started', 'ended', 'failed', 'lost'))
    UNION ALL
    (SELECT host, scheduled_at, trigger, lag, started_at, ended_at FROM task_run
      WHERE clock = job.clock AND job = job.job AND scheduled_at > job.last AND slot_host IS NOT NULL
        AND status IN ('started', 'ended', 'failed', 'lost')
      ORDER BY scheduled_at LIMIT 1)
) AS run
CROSS JOIN LATERAL (
    SELECT CASE WHEN abs(run.lag) < 1e9 AND run.scheduled_at BETWEEN '2000-01-01Z' AND '2200-01-01Z'
                THEN run.scheduled_at + make_interval(secs => run.lag) ELSE run.started_at END AS at
) AS started
ORDER BY started.at
"""


def run_intervals(
    connection: Connection, slots: Sequence[Slot], due_on: Mapping[Slot, Sequence[DeployedJob]]
) -> dict[tuple[str, str], list[RunInterval]]:
    """The runs that may explain slots without a row: those at about that time, and the first that was due later."""
    spans: dict[tuple[str, str], tuple[datetime, datetime, datetime]] = {}
    for slot in slots:
        earliest = slot.at - max(job.timeout for job in due_on[slot]) - MAX_START_DELAY
        latest = slot.at + max(job.overdue_after for job in due_on[slot])
        low, high, last = spans.get((slot.clock, slot.job), (earliest, latest, slot.at))
        spans[slot.clock, slot.job] = (min(low, earliest), max(high, latest), max(last, slot.at))
    rows = connection.execute(
        _RUN_INTERVALS,
        {
            "clocks": [clock for clock, _ in spans],
            "jobs": [job for _, job in spans],
            "low": [low for low, _, _ in spans.values()],
            "high": [high for _, high, _ in spans.values()],
            "last": [last for _, _, last in spans.values()],
        },
    )
    runs = defaultdict(list)
    for clock, job, *interval in rows:
        runs[clock, job].append(RunInterval(*interval))
    return runs
