"""The current status of each deployed job: whether it is bad, its last result, its next run, and any pause.

The rule: a job is bad from its first slot that failed, was missed or lost until a run of it ends well. A skip, a pause
or a feature flag changes nothing of that. A run by hand counts like any other. A job with `per_host` is judged on each
host for itself. Every command, exit code and JSON document that says "bad" takes it from here.

A few index scans per job, so that ten thousand jobs over ten million rows take seconds at most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from scheduled_tasks.operate import deployments, pauses
from scheduled_tasks.operate.account import HOST_TIMEOUT
from scheduled_tasks.run.status import BAD, RunStatus
from scheduled_tasks.schedule.evaluator import occurrences

if TYPE_CHECKING:
    from scheduled_tasks.operate.slots import DeployedJob, Pause
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.schedule.trigger import Trigger

MAX_STREAK = 100  # bad slots: no more are counted
# Of many jobs, most have their last result among the newest rows of the ledger: reading three rows for each job at once
# takes a quarter of the time of finding each job's own.
MANY_JOBS, NEWEST_ROWS = 1000, 3


@dataclass(frozen=True)
class Failure:
    """Why a job is bad: its failed, missed and lost slots after its last run that ended well.

    Attributes:
        host: the host, if the job is judged on each for itself (`per_host`); empty otherwise.
        since: the nominal time of the first of them; of a run by hand, its start.
        streak: how many they are; `MAX_STREAK` means that many or more.
        status, at, reason, run_id: of the last of them.
    """

    host: str
    since: datetime
    streak: int
    status: str
    at: datetime
    reason: str
    run_id: str

    @property
    def streak_has_more(self) -> bool:
        """Whether they may be more than `streak`."""
        return self.streak == MAX_STREAK


@dataclass(frozen=True)
class JobStatus:
    """The status of a job on all hosts that have it.

    Attributes:
        failures: why it is bad; empty if it isn't. With `per_host` one for each host on which it is bad.
        good_since: the nominal time of its first good run after the last bad slot; None if it is bad or never ran.
        last: the status of its last slot or run that isn't running: `ended`, `failed`, …; empty if it was never due.
        last_at: the nominal time of that slot; of a run by hand, its start.
        reason: why it did not end well.
        by_hand: whether that was a run without a slot, which a person started.
        running_since: the start of the current run.
        next_run: when it is due next; None if never, or if it is paused in its clock file.
        paused: its active pauses, on all hosts or on some.
    """

    clock: str
    job: str
    task: str
    hosts: tuple[str, ...]
    failures: tuple[Failure, ...]
    good_since: datetime | None
    last: str
    last_at: datetime | None
    reason: str
    run_id: str
    by_hand: bool
    running_since: datetime | None
    next_run: datetime | None
    paused: tuple[Pause, ...]
    paused_in_file: bool

    @property
    def is_bad(self) -> bool:
        """Whether a slot of it failed, was missed or lost, and no run has ended well since."""
        return bool(self.failures)

    @property
    def state(self) -> str:
        """`ok`, `bad`, `paused`, `running`, `skipped`, `new` (never due); a bad one can be `bad, paused`."""
        if self.paused or self.paused_in_file:
            now = "paused"
        elif self.running_since:
            now = "running"
        else:
            now = "skipped" if self.last == RunStatus.SKIPPED else ""
        if self.is_bad:
            return f"bad, {now}" if now else "bad"
        return now or ("ok" if self.last else "new")

    @property
    def since(self) -> datetime | None:
        """Since when it is bad, or otherwise good."""
        return min((failure.since for failure in self.failures), default=self.good_since)


@dataclass(frozen=True)
class HostStatus:
    """A host: its last heartbeat, whether it is considered dead, how many jobs it has, and why due times are wrong."""

    host: str
    heartbeat_at: datetime
    is_dead: bool
    jobs: int
    problems: list[str]


# When a result counts. The end of a lost run is unknown, so its start counts. The indexes task_run_good and
# task_run_bad have this.
RESULT_AT = "CASE WHEN status IN ('ended', 'failed') THEN coalesce(ended_at, started_at) ELSE started_at END"
_BAD_LIST = ", ".join(f"'{status}'" for status in BAD)
IS_BAD = f"status IN ({_BAD_LIST})"
# Only up to now: a row with an instant in the future must not hide the current ones.
IS_PAST = f"{RESULT_AT} <= %(now)s AND (scheduled_at <= %(now)s OR scheduled_at IS NULL)"
# PostgreSQL takes a job's name for independent of its clock's, so it expects a few rows of a job where there are
# thousands, and would read and sort them all instead of the first one in an index. It also overestimates the whole
# query, which would take longer to compile than to execute.
ROW_BY_ROW = "SELECT set_config('enable_sort', 'off', true), set_config('jit', 'off', true)"
_RESULT = (
    "status, coalesce(scheduled_at, started_at) AS at, coalesce(reason, error_message, '') AS reason, run_id::text"
)
_COLUMNS = f"{_RESULT}, {RESULT_AT} AS result_at, is_resolved"
_LAST = f"{_RESULT}, slot_host IS NULL AS by_hand"
_IS_LAST = "status <> 'started' AND (scheduled_at <= %(now)s OR scheduled_at IS NULL)"
_JOB = "clock = wanted.clock AND job = wanted.job AND (wanted.host = '' OR coalesce(slot_host, host) = wanted.host)"
_RESULTS = f"SELECT {_COLUMNS} FROM task_run WHERE {_JOB} AND {IS_PAST}"  # noqa: S608 - our own text
_RUNNING = f"status = 'started' AND {RESULT_AT} BETWEEN %(now)s - interval '7 days' AND %(now)s"
# Each lateral query is one index scan, and all but `streak` end at their first row. `recent` has the last result of
# most jobs; not of those that are judged on each host, whose `host` is not ''.
_STATUS = f"""
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(%(clocks)s::text[], %(jobs)s::text[], %(hosts)s::text[]) WITH ORDINALITY
                  AS wanted (clock, job, host, n)
), started AS MATERIALIZED (
    SELECT clock, job, coalesce(slot_host, host) AS judged, started_at, scheduled_at, slot_host FROM task_run
     WHERE {_RUNNING}
), running AS MATERIALIZED (
    SELECT DISTINCT ON (n) n, started.started_at, again.* FROM wanted JOIN started USING (clock, job)
      LEFT JOIN LATERAL (  -- a slot that runs again is still bad: its last attempt was
          SELECT {_COLUMNS} FROM past_attempt
           WHERE clock = wanted.clock AND job = wanted.job AND scheduled_at = started.scheduled_at
             AND slot_host = started.slot_host AND {IS_BAD}
           ORDER BY replaced_at DESC LIMIT 1) AS again ON true
     WHERE wanted.host = '' OR judged = wanted.host
     ORDER BY n, started.started_at DESC
), newest AS MATERIALIZED (
    SELECT * FROM task_run WHERE started_at <= %(now)s ORDER BY started_at DESC LIMIT %(newest)s
), recent AS MATERIALIZED (
    SELECT DISTINCT ON (clock, job) '' AS host, clock, job, {_LAST} FROM newest WHERE {_IS_LAST}
     ORDER BY clock, job, started_at DESC
)
SELECT last_bad.status, last_bad.at, last_bad.reason, last_bad.run_id, last_bad.is_resolved,
       least(first_bad.at, running.at), streak.number + (running.at IS NOT NULL)::int, first_good.at,
       last.status, last.at, last.reason, last.run_id, last.by_hand, running.started_at
FROM wanted LEFT JOIN running USING (n) LEFT JOIN recent USING (clock, job, host)
LEFT JOIN LATERAL (
    ({_RESULTS} AND {IS_BAD} ORDER BY {RESULT_AT} DESC LIMIT 1)
    UNION ALL SELECT running.status, running.at, running.reason, running.run_id, running.result_at, false
               WHERE running.at IS NOT NULL
     ORDER BY result_at DESC LIMIT 1) AS last_bad ON true
LEFT JOIN LATERAL (
    {_RESULTS} AND status = 'ended' AND {RESULT_AT} >= coalesce(last_bad.result_at, '-infinity')
     ORDER BY {RESULT_AT} LIMIT 1) AS first_good ON true
LEFT JOIN LATERAL (
    {_RESULTS} AND status = 'ended' AND {RESULT_AT} < last_bad.result_at AND first_good.at IS NULL
     ORDER BY {RESULT_AT} DESC LIMIT 1) AS last_good ON true
LEFT JOIN LATERAL (
    {_RESULTS} AND {IS_BAD} AND first_good.at IS NULL AND {RESULT_AT} > coalesce(last_good.result_at, '-infinity')
     ORDER BY {RESULT_AT} LIMIT 1) AS first_bad ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT FROM task_run WHERE {_JOB} AND {IS_PAST} AND {IS_BAD} AND first_good.at IS NULL
                               AND {RESULT_AT} > coalesce(last_good.result_at, '-infinity')
         LIMIT %(max_streak)s) AS result) AS streak ON true
LEFT JOIN LATERAL (
    SELECT recent.status, recent.at, recent.reason, recent.run_id, recent.by_hand WHERE recent.at IS NOT NULL
    UNION ALL (SELECT {_LAST} FROM task_run WHERE recent.at IS NULL AND {_JOB} AND started_at <= %(now)s AND {_IS_LAST}
                ORDER BY started_at DESC LIMIT 1)) AS last ON true
ORDER BY wanted.n
"""  # noqa: S608 - our own text
# Each bad job has an unresolved result, or a slot that failed and runs again.
_MAYBE_BAD = f"""
SELECT clock, job FROM task_run WHERE {IS_BAD} AND NOT is_resolved
UNION
SELECT clock, job FROM task_run AS run
 WHERE {_RUNNING} AND EXISTS (
     SELECT FROM past_attempt AS past WHERE past.clock = run.clock AND past.job = run.job
        AND past.scheduled_at = run.scheduled_at AND past.slot_host = run.slot_host AND past.{IS_BAD})
"""  # noqa: S608 - our own text


@dataclass(frozen=True)
class _Judged:
    """A row of the query: a job, or a job on one host."""

    failure: Failure | None
    good_since: datetime | None
    last: str
    last_at: datetime | None
    reason: str
    run_id: str
    by_hand: bool
    running_since: datetime | None


def jobs(  # noqa: PLR0913 - the filters
    connection: Connection,
    now: datetime,
    clock: str = "",
    job: str = "",
    *,
    owner: str = "",
    among: Sequence[tuple[str, str]] | None = None,
    bad_only: bool = False,
) -> list[JobStatus]:
    """All deployed jobs, or those of a clock, or one, or those `among` some, by clock and job.

    With `owner`, those of an owner; with `bad_only`, those that are bad: then `among` has no effect.
    """
    deployed: dict[tuple[str, str], list[DeployedJob]] = defaultdict(list)
    if bad_only:
        among = connection.execute(_MAYBE_BAD, {"now": now}).fetchall()
    for host_job in deployments.deployed_now(connection, clock, job, owner=owner, among=among):
        deployed[host_job.clock, host_job.job].append(host_job)
    wanted = [
        (*key, host)
        for key, on_hosts in deployed.items()
        for host in dict.fromkeys(job.host if job.options.get("per_host") else "" for job in on_hosts)
    ]
    judged: dict[tuple[str, str], list[_Judged]] = defaultdict(list)
    for (clock_name, name, host), row in zip(wanted, _rows(connection, wanted, now), strict=True):
        judged[clock_name, name].append(_judged(host, row))
    active = pauses.active(connection, now)
    next_run = cache(lambda trigger: next((occurrence.at for occurrence in occurrences(trigger, after=now)), None))
    statuses = (_status(on_hosts, judged[key], active, next_run) for key, on_hosts in deployed.items())
    return [status for status in statuses if status.is_bad or not bad_only]


def _rows(connection: Connection, wanted: Sequence[tuple[str, str, str]], now: datetime) -> list[tuple[Any, ...]]:
    if not wanted:
        return []
    clocks, names, hosts = map(list, zip(*wanted, strict=True))
    with connection.transaction():
        connection.execute(ROW_BY_ROW)
        values = {"clocks": clocks, "jobs": names, "hosts": hosts, "now": now, "max_streak": MAX_STREAK,
                  "newest": NEWEST_ROWS * len(wanted) if len(wanted) >= MANY_JOBS else 0}  # fmt: skip
        return connection.execute(_STATUS, values).fetchall()


def _judged(host: str, row: Sequence[Any]) -> _Judged:
    (status, at, reason, run_id, is_resolved, since, streak, good_since,
     last, last_at, last_reason, last_id, by_hand, running) = row  # fmt: skip
    is_bad = status and good_since is None and not is_resolved
    failure = Failure(host, since, min(streak, MAX_STREAK), status, at, reason, run_id) if is_bad else None
    return _Judged(failure, good_since, last or "", last_at, last_reason or "", last_id or "", bool(by_hand), running)


def _status(
    on_hosts: Sequence[DeployedJob],
    judged: Sequence[_Judged],
    active: Iterable[Pause],
    next_run: Callable[[Trigger], datetime | None],
) -> JobStatus:
    first = on_hosts[0]
    timed = [job for job in on_hosts if not job.options.get("paused")]
    following = [at for job in timed if (at := next_run(job.trigger))]
    failures = tuple(row.failure for row in judged if row.failure)
    last = max(judged, key=lambda row: (row.last_at is not None, row.last_at))
    return JobStatus(
        clock=first.clock,
        job=first.job,
        task=first.task,
        hosts=tuple(job.host for job in on_hosts),
        failures=failures,
        good_since=None if failures else max((row.good_since for row in judged if row.good_since), default=None),
        last=last.last,
        last_at=last.last_at,
        reason=last.reason,
        run_id=last.run_id,
        by_hand=last.by_hand,
        running_since=max((row.running_since for row in judged if row.running_since), default=None),
        next_run=min(following, default=None),
        paused=tuple(pause for pause in active if any(pause.covers(job.clock, job.job, job.host) for job in on_hosts)),
        paused_in_file=not timed,
    )


def hosts(connection: Connection, now: datetime) -> list[HostStatus]:
    """The status of each host that has jobs."""
    rows = connection.execute(
        "SELECT name, heartbeat_at, number, problems FROM host JOIN"
        " (SELECT host, count(*) AS number FROM deployed_job WHERE valid_until IS NULL GROUP BY host) AS deployed"
        " ON deployed.host = name ORDER BY name"
    )
    return [HostStatus(host, at, now - at > HOST_TIMEOUT, number, problems) for host, at, number, problems in rows]
