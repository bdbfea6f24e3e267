"""Audit the ledger: record every due slot that no host ran as missed or skipped, with the reason.

Input is the database, the caller's host and an instant; output is rows of `task_run`, one per slot however many watches
run at once. Slots of dead hosts are accounted for too. Nothing here reads the clock or this machine: `host_watch` does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduled_tasks.instants import from_epoch
from scheduled_tasks.operate import deployments, pauses
from scheduled_tasks.operate.run_intervals import run_intervals
from scheduled_tasks.operate.slots import DeployedJob, Slot
from scheduled_tasks.operate.verdicts import Verdict, overdue, verdict
from scheduled_tasks.run.slot import MAX_QUEUE

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

HEARTBEAT_INTERVAL = timedelta(minutes=1)
HEARTBEAT_GAP = 3 * HEARTBEAT_INTERVAL  # heartbeats further apart than this are not regular
HOST_TIMEOUT = timedelta(minutes=5)  # without a heartbeat for so long a host is considered dead; other hosts audit it
# After a gap a host is audited from its second heartbeat on: until then it may be catching up.
SETTLING_TIME = HEARTBEAT_INTERVAL - timedelta(seconds=5)
MAX_STEP = timedelta(hours=1)  # a long downtime is audited in steps, to bound memory
BEGINNING = from_epoch(0)

Windows = Mapping[str, tuple[datetime, datetime]]
Starting = Callable[[], Mapping[tuple[str, str], datetime]]


@dataclass(frozen=True)
class Heartbeat:
    """A host's row: its last heartbeat, and since when they have come regularly."""

    host: str
    at: datetime
    regular_since: datetime
    accounted_until: datetime | None

    @property
    def is_settled(self) -> bool:
        """Whether the host has had the database for long enough to have reported everything."""
        return self.at - self.regular_since >= SETTLING_TIME


@dataclass(frozen=True)
class Account:
    """The verdicts that were recorded, up to when each host's slots are accounted for now, and the dead hosts."""

    recorded: tuple[Verdict, ...]
    accounted_until: Mapping[str, datetime]
    dead_hosts: tuple[str, ...]


def account(
    connection: Connection, host: str | None, now: datetime, release: str = "", starting: Starting = dict
) -> Account:
    """Record this host's heartbeat, and the slots that are overdue.

    A slot whose service this host is still starting is not judged yet: among hundreds, a start may take minutes.

    Args:
        connection: on which each statement is a transaction of its own.
        host: the caller's host, which has reported its deployments (`deployments.report`); None if it cannot.
        now: the instant.
        release: recorded for diagnostics.
        starting: asks for the (clock, job) of each service that this host is starting or running, and since when.
    """
    if host is not None:
        _record_heartbeat(connection, host, now, release)
    rows = connection.execute(
        "SELECT name, heartbeat_at, coalesce(heartbeats_since, heartbeat_at), accounted_until FROM host ORDER BY name"
    )
    heartbeats = [Heartbeat(*row) for row in rows]
    windows = {beat.host: window for beat in heartbeats if (window := _window(beat, heartbeats, now))}
    recorded: list[Verdict] = []
    if windows:
        oldest = min(after for after, _ in windows.values())
        deployed = deployments.deployed_since(connection, list(windows), oldest - _longest_delay(connection, oldest))
        last = {beat.host: beat.at for beat in heartbeats}
        blocked: list[Slot] = []
        for step in _steps(windows, deployed):
            in_step, blocked_in_step = _audit(connection, deployed, step, last, now, starting)
            recorded += in_step
            blocked += blocked_in_step
        if blocked:  # the next pass audits them again: a slot is overdue after its nominal time
            first = min(slot.at for slot in blocked)
            windows = {name: (after, max(after, min(until, first))) for name, (after, until) in windows.items()}
        for name, (after, until) in windows.items():
            # Unless a report of something older has meanwhile set `accounted_until` back.
            connection.execute(
                "UPDATE host SET accounted_until = %(until)s, accounted_at = %(now)s WHERE name = %(host)s"
                " AND coalesce(accounted_until, %(beginning)s) = %(after)s",
                {"host": name, "until": until, "after": after, "beginning": BEGINNING, "now": now},
            )
    dead = tuple(sorted(beat.host for beat in heartbeats if now - beat.at > HOST_TIMEOUT))
    return Account(tuple(recorded), {name: until for name, (_, until) in windows.items()}, dead)


def account_for_one(connection: Connection, host: str, now: datetime, *, is_gone: bool = False) -> list[Verdict]:
    """Record the overdue slots of one host; for `hosts`, before it renames or removes the host.

    If the host `is_gone` and its deployments are closed, nothing can start its slots any more, so they count as overdue
    at once, except those that another host has too.
    """
    heartbeats = dict(connection.execute("SELECT name, heartbeat_at FROM host").fetchall())
    [(after,)] = connection.execute("SELECT coalesce(accounted_until, %s) FROM host WHERE name = %s", [BEGINNING, host])
    if not is_gone:
        heartbeats[host] = now
    deployed = deployments.deployed_since(connection, [host], after - _longest_delay(connection, after))
    shared = {(job.clock, job.job) for job in deployments.deployed_now(connection) if job.host != host}
    alone = [job for job in deployed if is_gone and (job.options.get("per_host") or (job.clock, job.job) not in shared)]
    longest = max((job.overdue_after for job in alone), default=timedelta())
    recorded: list[Verdict] = []
    for jobs, until in ((alone, now + longest), ([job for job in deployed if job not in alone], now)):
        for step in _steps({host: (after, until)}, jobs) if after < until else ():
            recorded += _audit(connection, jobs, step, heartbeats, now)[0]
    return recorded


def last_heartbeat(connection: Connection, host: str) -> datetime | None:
    """The last heartbeat of a host; None if its watch never ran."""
    row = connection.execute(
        "SELECT heartbeat_at FROM host WHERE name = %s AND heartbeats_since IS NOT NULL", [host]
    ).fetchone()
    return row[0] if row else None


def _record_heartbeat(connection: Connection, host: str, now: datetime, release: str) -> None:
    connection.execute(
        "INSERT INTO host AS known (name, heartbeat_at, heartbeats_since, release)"
        " VALUES (%(host)s, %(now)s, %(now)s, %(release)s) ON CONFLICT (name) DO UPDATE SET"
        " heartbeats_since = CASE WHEN excluded.heartbeat_at - known.heartbeat_at <= %(gap)s"
        " THEN coalesce(known.heartbeats_since, excluded.heartbeats_since) ELSE excluded.heartbeats_since END,"
        " heartbeat_at = greatest(known.heartbeat_at, excluded.heartbeat_at), release = excluded.release",
        {"host": host, "now": now, "release": release, "gap": HEARTBEAT_GAP},
    )


def _window(beat: Heartbeat, all_beats: Sequence[Heartbeat], now: datetime) -> tuple[datetime, datetime] | None:
    """From when to when a host's slots can be audited now; None if it may have more to report."""
    if now - beat.at <= HOST_TIMEOUT:
        until = min(beat.at, now) if beat.is_settled else None
    else:
        # Is it dead, or was the database away for all? If another host is settled, the database has been back for a
        # while, and this host would be settled too.
        others = any(other.is_settled and now - other.at <= HEARTBEAT_GAP for other in all_beats)
        until = now if others else None
    after = beat.accounted_until or BEGINNING
    return (after, until) if until and after < until else None


def _longest_delay(connection: Connection, oldest: datetime) -> timedelta:
    """The longest time until a slot is overdue: how far back a removed job can still have overdue slots."""
    [(seconds,)] = connection.execute(
        "SELECT coalesce(max(coalesce((options->>'jitter')::float, 0) + coalesce((options->>'grace')::float, 0)"
        " + coalesce((options->>'timeout')::float, 0)), 0) FROM deployed_job"
        " WHERE valid_until IS NULL OR valid_until > %s - interval '40 days'",
        [oldest],
    ).fetchall()
    return timedelta(seconds=float(seconds) + 3600)


def _steps(windows: Windows, deployed: Iterable[DeployedJob]) -> Iterable[Windows]:
    """The windows in steps of bounded length, from the first deployment on."""
    last = max(until for _, until in windows.values())
    first = min((job.valid_from for job in deployed), default=last)
    at = max(min(after for after, _ in windows.values()), first)
    while at < last:
        step = {
            name: (max(after, at), min(until, at + MAX_STEP))
            for name, (after, until) in windows.items()
            if max(after, at) < min(until, at + MAX_STEP)
        }
        if step:
            yield step
        at += MAX_STEP


def _audit(  # noqa: PLR0913, PLR0917 - the facts of an audit
    connection: Connection,
    deployed: Iterable[DeployedJob],
    windows: Windows,
    heartbeats: Mapping[str, datetime],
    now: datetime,
    starting: Starting = dict,
) -> tuple[list[Verdict], list[Slot]]:
    """Record the overdue slots of some windows; return the verdicts, and the slots that can't be judged yet.

    These are blocked (see _record), or their service is being started.
    """
    slots = overdue(deployed, windows)
    without_a_row = _without_a_row(connection, list(slots))
    since = starting() if without_a_row else {}
    queued = [
        slot
        for slot in without_a_row
        if since.get((slot.clock, slot.job), BEGINNING) >= slot.at
        and now < slot.at + MAX_QUEUE + max(job.overdue_after for job in slots[slot])
    ]
    missing = [slot for slot in without_a_row if slot not in queued]
    if not missing:
        return [], queued
    first = min(slot.at for slot in missing)
    # The deployments of all hosts: the slot may also have been due on one that isn't audited now.
    by_job = defaultdict(list)
    for job in deployments.deployed_of(connection, {(slot.clock, slot.job) for slot in missing}, first):
        by_job[job.clock, job.job].append(job)
    due_on = {
        slot: [job for job in by_job[slot.clock, slot.job] if job.is_due(slot)] or slots[slot] for slot in missing
    }
    paused = pauses.active_since(connection, first)
    runs = run_intervals(connection, missing, due_on)
    verdicts = [
        verdict(slot, due_on[slot], paused, runs.get((slot.clock, slot.job), []), heartbeats) for slot in missing
    ]
    recorded, blocked = _record(connection, verdicts, now)
    return recorded, queued + blocked


def _columns(slots: Sequence[Slot]) -> dict[str, list[object]]:
    return {
        "clocks": [slot.clock for slot in slots],
        "jobs": [slot.job for slot in slots],
        "at": [slot.at for slot in slots],
        "hosts": [slot.host for slot in slots],
    }


def _without_a_row(connection: Connection, slots: Sequence[Slot]) -> list[Slot]:
    if not slots:
        return []
    rows = connection.execute(
        "SELECT due.n FROM unnest(%(clocks)s::text[], %(jobs)s::text[], %(at)s::timestamptz[], %(hosts)s::text[])"
        " WITH ORDINALITY AS due (clock, job, scheduled_at, slot_host, n)"
        " WHERE NOT EXISTS (SELECT FROM task_run AS run WHERE run.clock = due.clock AND run.job = due.job"
        "  AND run.scheduled_at = due.scheduled_at AND run.slot_host = due.slot_host AND run.slot_host IS NOT NULL)"
        " ORDER BY due.n",
        _columns(slots),
    )
    return [slots[n - 1] for (n,) in rows]


def _record(connection: Connection, verdicts: Sequence[Verdict], now: datetime) -> tuple[list[Verdict], list[Slot]]:
    """Record the verdicts of slots that still have no row; return those recorded, and the slots that are blocked.

    A slot is blocked if another session has claimed it and not committed: a task that leaves its transaction open.
    """
    import psycopg  # loaded with the connection

    slots = [due.slot for due in verdicts]
    columns = {"tasks": "task", "names": "host", "statuses": "status", "reasons": "reason"}
    values = {name: [getattr(due, attribute) for due in verdicts] for name, attribute in columns.items()}
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '100ms'")
            rows = connection.execute(_INSERT, {**_columns(slots), **values, "now": now}).fetchall()
    except psycopg.errors.LockNotAvailable:
        if len(verdicts) == 1:
            return [], slots
        middle = len(verdicts) // 2
        halves = [_record(connection, half, now) for half in (verdicts[:middle], verdicts[middle:])]
        return [due for done, _ in halves for due in done], [slot for _, blocked in halves for slot in blocked]
    recorded = {Slot(*row) for row in rows}
    return [due for due in verdicts if due.slot in recorded], []


# `started_at` is the nominal time, because the history is sorted by it. A missed slot has attempt 0: if a run comes
# late after all, it is the first attempt.
_INSERT = """
INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, started_at,
                      ended_at, attempt, reason)
SELECT gen_random_uuid(), task, clock, job, scheduled_at, slot_host, host, 'watch', status, scheduled_at,
       %(now)s, CASE status WHEN 'missed' THEN 0 ELSE 1 END, reason
  FROM unnest(%(tasks)s::text[], %(clocks)s::text[], %(jobs)s::text[], %(at)s::timestamptz[], %(hosts)s::text[],
              %(names)s::text[], %(statuses)s::text[], %(reasons)s::text[])
       AS due (task, clock, job, scheduled_at, slot_host, host, status, reason)
 ORDER BY clock, job, scheduled_at, slot_host
ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO NOTHING
RETURNING clock, job, scheduled_at, slot_host
"""
