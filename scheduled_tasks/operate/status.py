"""How it stands: each deployed job's last result, since when, its next run, and what holds it back.

Two walks down an index for each job, so that ten thousand jobs over ten million rows take seconds at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduled_tasks.operate import deployments, pauses
from scheduled_tasks.operate.account import SILENCE
from scheduled_tasks.run.status import BAD
from scheduled_tasks.schedule.evaluator import occurrences

if TYPE_CHECKING:
    from scheduled_tasks.operate.pauses import PauseRow
    from scheduled_tasks.operate.verdicts import DeployedJob
    from scheduled_tasks.run.database import Connection

LONGEST_STREAK = 100  # so many are counted; a job that fails so often fails
WELL = 5  # of a job that is well, so many slots are looked at for since when


@dataclass(frozen=True)
class JobStatus:
    """A job on the hosts that hold it.

    Attributes:
        last: the status of its last slot that isn't running: `ended`, `failed`, …; empty where it never was due.
        since: the nominal time of the first slot with that status in a row; None where that is longer ago than is
            looked, which is `WELL` slots where it is well and `LONGEST_STREAK` else.
        streak: how many slots in a row went wrong, skipped ones not counted; `LONGEST_STREAK` is "or more".
        running_since: the start of its run that goes on.
        next_run: when it is due next; None where it is not, or is paused in its clock file.
        paused: the pauses that hold it, on all hosts or on some.
    """

    clock: str
    job: str
    task: str
    hosts: tuple[str, ...]
    last: str
    last_at: datetime | None
    since: datetime | None
    reason: str
    run_id: str
    streak: int
    running_since: datetime | None
    next_run: datetime | None
    paused: tuple[PauseRow, ...]
    paused_in_file: bool

    @property
    def is_bad(self) -> bool:
        """Whether its last slot failed, was missed or is lost."""
        return self.last in BAD


@dataclass(frozen=True)
class HostStatus:
    """A host's watch: its last word, and whether that is too long ago."""

    host: str
    seen_at: datetime
    silent: bool
    jobs: int


_LAST = """
SELECT wanted.n, last.status, last.at, last.reason, last.run_id,
       CASE WHEN first.others > 0 OR last.status <> 'ended' THEN first.at END, streak.number, running.started_at
FROM unnest(%(clocks)s::text[], %(jobs)s::text[]) WITH ORDINALITY AS wanted (clock, job, n)
LEFT JOIN LATERAL (
    SELECT status, scheduled_at AS at, coalesce(reason, error_message, '') AS reason, run_id FROM task_run
     WHERE clock = wanted.clock AND job = wanted.job AND slot_host IS NOT NULL AND status <> 'started'
     ORDER BY scheduled_at DESC LIMIT 1) AS last ON true
LEFT JOIN LATERAL (
    SELECT started_at FROM task_run
     WHERE clock = wanted.clock AND job = wanted.job AND started_at > %(now)s - interval '7 days' AND status = 'started'
     ORDER BY started_at DESC LIMIT 1) AS running ON true
LEFT JOIN LATERAL (  -- since when: the first slot after the last of another status, as far back as is looked
    SELECT min(at) FILTER (WHERE others = 0) AS at, max(others) AS others FROM (
        SELECT scheduled_at AS at,
               count(*) FILTER (WHERE status <> last.status) OVER (ORDER BY scheduled_at DESC) AS others
          FROM (SELECT scheduled_at, status FROM task_run
                 WHERE clock = wanted.clock AND job = wanted.job AND slot_host IS NOT NULL AND status <> 'started'
                 ORDER BY scheduled_at DESC
                 LIMIT CASE WHEN last.status = 'ended' THEN %(well)s ELSE %(longest)s END) AS recent) AS counted
    ) AS first ON last.status IS NOT NULL
LEFT JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT count(*) FILTER (WHERE status = 'ended') OVER (ORDER BY scheduled_at DESC) AS good
          FROM (SELECT scheduled_at, status FROM task_run
                 WHERE clock = wanted.clock AND job = wanted.job AND slot_host IS NOT NULL
                   AND status NOT IN ('started', 'skipped')
                 ORDER BY scheduled_at DESC LIMIT %(longest)s) AS recent) AS counted
     WHERE good = 0) AS streak ON last.status IN ('failed', 'missed', 'lost', 'skipped')
ORDER BY wanted.n
"""


def jobs(connection: Connection, now: datetime, clock: str = "", job: str = "") -> list[JobStatus]:
    """Each deployed job, or those of a clock, or one, by clock and job."""
    deployed: dict[tuple[str, str], list[DeployedJob]] = {}
    for each in deployments.deployed_now(connection, clock, job):
        deployed.setdefault((each.clock, each.job), []).append(each)
    holding = pauses.in_force(connection, now)
    values = {
        "clocks": [key[0] for key in deployed],
        "jobs": [key[1] for key in deployed],
        "now": now,
        "longest": LONGEST_STREAK,
        "well": WELL,
    }
    rows = connection.execute(_LAST, values).fetchall()
    return [_status(hosts, row, holding, now) for hosts, row in zip(deployed.values(), rows, strict=True)]


def _status(hosts: Sequence[DeployedJob], row: Sequence[Any], holding: Iterable[PauseRow], now: datetime) -> JobStatus:
    _, last, at, reason, run_id, since, streak, running = row
    one = hosts[0]
    timed = [each for each in hosts if not each.options.get("paused")]
    names = tuple(each.host for each in hosts)
    following = [found for each in timed if (found := next(occurrences(each.trigger, after=now), None))]
    return JobStatus(
        clock=one.clock,
        job=one.job,
        task=one.task,
        hosts=names,
        last=last or "",
        last_at=at,
        since=since,
        reason=reason or "",
        run_id=str(run_id or ""),
        streak=streak or 0,
        running_since=running,
        next_run=min((found.at for found in following), default=None),
        paused=tuple(held for held in holding if any(held.holds(one.clock, one.job, name) for name in names)),
        paused_in_file=not timed,
    )


def hosts(connection: Connection, now: datetime) -> list[HostStatus]:
    """Each host that has jobs, and whether its watch is silent."""
    rows = connection.execute(
        "SELECT name, heartbeat_at, number FROM host JOIN"
        " (SELECT host, count(*) AS number FROM deployed_job WHERE valid_until IS NULL GROUP BY host) AS held"
        " ON held.host = name ORDER BY name"
    )
    return [HostStatus(host, seen_at, now - seen_at > SILENCE, number) for host, seen_at, number in rows]


def totals(found: Iterable[JobStatus]) -> Mapping[str, int]:
    """How many jobs are how, for a line."""
    numbers = {"jobs": 0, "bad": 0, "running": 0, "paused": 0}
    for each in found:
        numbers["jobs"] += 1
        numbers["bad"] += each.is_bad
        numbers["running"] += each.running_since is not None
        numbers["paused"] += bool(each.paused) or each.paused_in_file
    return numbers
