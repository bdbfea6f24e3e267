"""The current status of each deployed job: last result, since when, next run, and any pause.

A few index scans per job, so that ten thousand jobs over ten million rows take seconds at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduled_tasks.operate import deployments, pauses
from scheduled_tasks.operate.account import HOST_TIMEOUT
from scheduled_tasks.run.status import BAD
from scheduled_tasks.schedule.evaluator import occurrences

if TYPE_CHECKING:
    from scheduled_tasks.operate.slots import DeployedJob, Pause
    from scheduled_tasks.run.database import Connection

MAX_STREAK = 100  # slots: no more are counted
MAX_HEALTHY_SLOTS = 5  # how far back the start of a healthy streak is searched


@dataclass(frozen=True)
class JobStatus:
    """The status of a job on all hosts that have it.

    Attributes:
        last: the status of its last slot that isn't running: `ended`, `failed`, …; empty if it was never due.
        since: the nominal time of the first of its latest slots that all have that status; None if that is further
            back than `MAX_HEALTHY_SLOTS` (for `ended`) or `MAX_STREAK`.
        streak: how many slots in a row were bad, not counting skipped ones; `MAX_STREAK` means that many or more.
        running_since: the start of the current run.
        next_run: when it is due next; None if never, or if it is paused in its clock file.
        paused: its active pauses, on all hosts or on some.
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
    paused: tuple[Pause, ...]
    paused_in_file: bool

    @property
    def is_bad(self) -> bool:
        """Whether its last slot failed, was missed or was lost."""
        return self.last in BAD


@dataclass(frozen=True)
class HostStatus:
    """A host: its last heartbeat, whether it is considered dead, and how many jobs it has."""

    host: str
    heartbeat_at: datetime
    is_dead: bool
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
LEFT JOIN LATERAL (  -- since when: the first slot after the last one with another status
    SELECT min(at) FILTER (WHERE others = 0) AS at, max(others) AS others FROM (
        SELECT scheduled_at AS at,
               count(*) FILTER (WHERE status <> last.status) OVER (ORDER BY scheduled_at DESC) AS others
          FROM (SELECT scheduled_at, status FROM task_run
                 WHERE clock = wanted.clock AND job = wanted.job AND slot_host IS NOT NULL AND status <> 'started'
                 ORDER BY scheduled_at DESC
                 LIMIT CASE WHEN last.status = 'ended' THEN %(max_healthy)s ELSE %(max_streak)s END) AS recent
    ) AS counted
    ) AS first ON last.status IS NOT NULL
LEFT JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT count(*) FILTER (WHERE status = 'ended') OVER (ORDER BY scheduled_at DESC) AS good
          FROM (SELECT scheduled_at, status FROM task_run
                 WHERE clock = wanted.clock AND job = wanted.job AND slot_host IS NOT NULL
                   AND status NOT IN ('started', 'skipped')
                 ORDER BY scheduled_at DESC LIMIT %(max_streak)s) AS recent) AS counted
     WHERE good = 0) AS streak ON last.status IN ('failed', 'missed', 'lost', 'skipped')
ORDER BY wanted.n
"""


def jobs(connection: Connection, now: datetime, clock: str = "", job: str = "") -> list[JobStatus]:
    """All deployed jobs, or those of a clock, or one, by clock and job."""
    deployed: dict[tuple[str, str], list[DeployedJob]] = {}
    for host_job in deployments.deployed_now(connection, clock, job):
        deployed.setdefault((host_job.clock, host_job.job), []).append(host_job)
    active = pauses.active(connection, now)
    values = {
        "clocks": [key[0] for key in deployed],
        "jobs": [key[1] for key in deployed],
        "now": now,
        "max_streak": MAX_STREAK,
        "max_healthy": MAX_HEALTHY_SLOTS,
    }
    rows = connection.execute(_LAST, values).fetchall()
    return [_status(on_hosts, row, active, now) for on_hosts, row in zip(deployed.values(), rows, strict=True)]


def _status(on_hosts: Sequence[DeployedJob], row: Sequence[Any], active: Iterable[Pause], now: datetime) -> JobStatus:
    _, last, at, reason, run_id, since, streak, running = row
    first = on_hosts[0]
    timed = [job for job in on_hosts if not job.options.get("paused")]
    following = [occurrence for job in timed if (occurrence := next(occurrences(job.trigger, after=now), None))]
    return JobStatus(
        clock=first.clock,
        job=first.job,
        task=first.task,
        hosts=tuple(job.host for job in on_hosts),
        last=last or "",
        last_at=at,
        since=since,
        reason=reason or "",
        run_id=str(run_id or ""),
        streak=streak or 0,
        running_since=running,
        next_run=min((occurrence.at for occurrence in following), default=None),
        paused=tuple(pause for pause in active if any(pause.covers(job.clock, job.job, job.host) for job in on_hosts)),
        paused_in_file=not timed,
    )


def hosts(connection: Connection, now: datetime) -> list[HostStatus]:
    """The status of each host that has jobs."""
    rows = connection.execute(
        "SELECT name, heartbeat_at, number FROM host JOIN"
        " (SELECT host, count(*) AS number FROM deployed_job WHERE valid_until IS NULL GROUP BY host) AS deployed"
        " ON deployed.host = name ORDER BY name"
    )
    return [HostStatus(host, at, now - at > HOST_TIMEOUT, number) for host, at, number in rows]


def totals(statuses: Sequence[JobStatus]) -> Mapping[str, int]:
    """How many jobs there are, and how many are bad, running and paused."""
    return {
        "jobs": len(statuses),
        "bad": sum(job.is_bad for job in statuses),
        "running": sum(job.running_since is not None for job in statuses),
        "paused": sum(bool(job.paused) or job.paused_in_file for job in statuses),
    }
