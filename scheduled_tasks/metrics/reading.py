"""Read everything that metrics say from the ledger, in one transaction, so that the parts fit together.

Input are a connection that may read, and an instant; output is a `Reading`: values, no text. It says itself from when
on it can be wrong although nothing was written: a pause ends, a flag reverts, a failed attempt begins to count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.alert.faults import MAX_UNSENT, account_age
from scheduled_tasks.alert.outbox import IS_PENDING
from scheduled_tasks.metrics import job_rows
from scheduled_tasks.metrics.deadlines import subject
from scheduled_tasks.operate import deployments, pauses
from scheduled_tasks.operate.watch.slot_counts import BOUNDS, RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduled_tasks.metrics.deadlines import Subject
    from scheduled_tasks.metrics.job_rows import JobRows
    from scheduled_tasks.operate.slots import DeployedJob, Pause
    from scheduled_tasks.run.database import Connection


class Totals(NamedTuple):
    """What was recorded for a clock since it is counted.

    Attributes:
        slots: results, by status.
        durations: runs, by the largest bucket's bound that they took longer than.
        seconds: of all these runs together.
    """

    slots: Mapping[str, int]
    durations: Mapping[float, int]
    seconds: float


@dataclass(frozen=True)
class Reading:
    """The state of the ledger.

    Attributes:
        deployed: the current deployments of each job; with `per_host`, of each job on each host.
        rows: what the ledger says of these.
        paused: the active pauses.
        clocks: what was counted for each clock.
        features: whether each flag is active.
        good_until: until when all of it holds if nothing is written; None: for good.
    """

    deployed: Mapping[Subject, Sequence[DeployedJob]]
    rows: JobRows
    paused: Sequence[Pause]
    clocks: Mapping[str, Totals]
    features: Mapping[str, bool]
    good_until: datetime | None


class FleetReading(NamedTuple):
    """What changes without the jobs: each host's heartbeat, and how far the account and the notices are."""

    heartbeats: Mapping[str, datetime]
    accounted_until: datetime | None
    unsent: int


@contextmanager
def one_state(connection: Connection) -> Iterator[None]:
    """A transaction that reads only, and one state of the ledger."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def read(connection: Connection, now: datetime, host: str | None = None) -> Reading:
    """Read all jobs, or those that a host has, in the caller's transaction."""
    hosts: dict[str, datetime | None] = dict(connection.execute("SELECT name, accounted_until FROM host").fetchall())
    deployed: dict[Subject, list[DeployedJob]] = defaultdict(list)
    for job in deployments.deployed_now(connection):
        deployed[subject(job)].append(job)
    if host is not None:
        deployed = {key: jobs for key, jobs in deployed.items() if any(job.host == host for job in jobs)}
    rows = job_rows.read(connection, deployed, hosts, now)
    active = pauses.active(connection, now)
    flags = connection.execute("SELECT name, is_active, reverts_at FROM feature ORDER BY name").fetchall()
    changes = [
        *(pause.end for pause in active if pause.end),
        *(reverts_at for _, _, reverts_at in flags if reverts_at and reverts_at > now),
        *(streak.counts_from for streak in rows.bad.values() if streak.counts_from),
    ]
    return Reading(
        deployed,
        rows,
        active,
        totals(connection),
        {name: is_active != (reverts_at is not None and reverts_at <= now) for name, is_active, reverts_at in flags},
        min(changes, default=None),
    )


# Changes that the watch has not added up yet are added here, so that a count is right at any moment.
_TOTALS = f"""
SELECT clock, {", ".join(f"{status} + coalesce(change.{status}s, 0)" for status in RESULTS)},
       seconds + coalesce(change.took, 0)
  FROM clock_total LEFT JOIN (
      SELECT clock, {
    ", ".join(
        f"count(*) FILTER (WHERE status = '{status}' AND scheduled_at IS NOT NULL) AS {status}s" for status in RESULTS
    )
},
             sum(duration) AS took FROM slot_change GROUP BY clock) AS change USING (clock)
 ORDER BY clock
"""  # noqa: S608 - our own text
_DURATIONS = """
SELECT clock, longer_than, sum(runs)::bigint FROM (
    SELECT clock, longer_than, runs FROM clock_duration
    UNION ALL
    SELECT clock, coalesce((SELECT max(bound) FROM unnest(%(bounds)s::float[]) AS bound WHERE bound < duration), 0), 1
      FROM slot_change WHERE duration IS NOT NULL
) AS known GROUP BY 1, 2
"""


def totals(connection: Connection) -> dict[str, Totals]:
    """What was counted for each clock that the watch has begun to count."""
    # The clocks first: before a clock is counted for the first time, its changes say more than is counted then, and a
    # counter must never go down.
    clocks = connection.execute(_TOTALS).fetchall()
    durations: dict[str, dict[float, int]] = defaultdict(dict)
    for clock, longer_than, runs in connection.execute(_DURATIONS, {"bounds": list(BOUNDS)}):
        durations[clock][longer_than] = runs
    return {
        clock: Totals(dict(zip(RESULTS, counts, strict=True)), durations[clock], seconds)
        for clock, *counts, seconds in clocks
    }


def read_fleet(connection: Connection, now: datetime) -> FleetReading:
    """Read the hosts that have jobs, and the notices that are overdue, as alerts see them: a few rows."""
    beats: dict[str, datetime] = dict(
        connection.execute(
            "SELECT name, heartbeat_at FROM host"
            " WHERE EXISTS (SELECT FROM deployed_job WHERE host = name AND valid_until IS NULL) ORDER BY name"
        ).fetchall()
    )
    [(unsent,)] = connection.execute(
        f"SELECT count(*) FROM notice WHERE {IS_PENDING} AND due_at < %s",  # noqa: S608 - our own text
        [now - MAX_UNSENT],
    ).fetchall()
    return FleetReading(beats, now - account_age(connection, now) if beats else None, unsent)
