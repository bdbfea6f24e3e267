"""The account: what was due is held against the ledger, and what nobody ran is written.

In come the database, which host asks, and the instant; out go rows of `task_run` with status `missed` or `skipped`,
each slot once however many watches look at once. It judges other hosts too, those that have died as well. No reading
of the clock here, and nothing of this machine: that is `host_watch`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scheduled_tasks.operate import deployments, pauses
from scheduled_tasks.operate.verdicts import DeployedJob, Pause, Ran, Slot, Verdict, judged, verdict

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

EVERY = timedelta(minutes=1)  # how often a host's watch has a word
GAP = 3 * EVERY  # without one for longer, it had none meanwhile
SILENCE = timedelta(minutes=5)  # without one for longer, it is taken for dead, and judged by others
SETTLED = EVERY - timedelta(seconds=5)  # after a gap a host is judged from its second word on: it may be catching up
STEP = timedelta(hours=1)  # of a long downtime so much at a time is held in memory
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Word:
    """A host's watch, as its row has it."""

    host: str
    seen_at: datetime
    since: datetime
    accounted_until: datetime | None

    @property
    def settled(self) -> bool:
        """Whether its words come regularly."""
        return self.seen_at - self.since >= SETTLED


@dataclass(frozen=True)
class Account:
    """What a look did: the verdicts that it wrote, and up to when each host's slots are judged now."""

    written: tuple[Verdict, ...]
    accounted_until: Mapping[str, datetime]
    silent: tuple[str, ...]


def account(connection: Connection, host: str | None, now: datetime, release: str = "") -> Account:
    """Has this host's word, and judges the slots whose time is over.

    Args:
        connection: on which each statement is a transaction of its own.
        host: who asks; what it was to run has been told already (`deployments.tell`). None: nobody who could tell.
        now: the instant.
        release: of this program, for who wonders what a host has.
    """
    if host is not None:
        _have_a_word(connection, host, now, release)
    words = _words(connection)
    windows = {word.host: window for word in words if (window := _window(word, words, now))}
    written: list[Verdict] = []
    if windows:
        oldest = min(after for after, _ in windows.values())
        deployed = deployments.deployed_since(connection, list(windows), oldest - _longest(connection, oldest))
        seen = {word.host: word.seen_at for word in words}
        for step in _steps(windows, deployed):
            written += _judge(connection, deployed, step, seen, now)
        for name, (after, until) in windows.items():
            # Only from where this look began: a host may have told meanwhile what it did before.
            connection.execute(
                "UPDATE host SET accounted_until = %(until)s WHERE name = %(host)s"
                " AND coalesce(accounted_until, %(beginning)s) = %(after)s",
                {"host": name, "until": until, "after": after, "beginning": BEGINNING},
            )
    silent = tuple(sorted(word.host for word in words if now - word.seen_at > SILENCE))
    return Account(tuple(written), {name: until for name, (_, until) in windows.items()}, silent)


def _have_a_word(connection: Connection, host: str, now: datetime, release: str) -> None:
    connection.execute(
        "INSERT INTO host AS known (name, heartbeat_at, heartbeats_since, release)"
        " VALUES (%(host)s, %(now)s, %(now)s, %(release)s) ON CONFLICT (name) DO UPDATE SET"
        " heartbeats_since = CASE WHEN excluded.heartbeat_at - known.heartbeat_at <= %(gap)s"
        " THEN coalesce(known.heartbeats_since, excluded.heartbeats_since) ELSE excluded.heartbeats_since END,"
        " heartbeat_at = greatest(known.heartbeat_at, excluded.heartbeat_at), release = excluded.release",
        {"host": host, "now": now, "release": release, "gap": GAP},
    )


def _words(connection: Connection) -> list[Word]:
    rows = connection.execute(
        "SELECT name, heartbeat_at, coalesce(heartbeats_since, heartbeat_at), accounted_until FROM host ORDER BY name"
    )
    return [Word(*row) for row in rows]


def _window(word: Word, words: Sequence[Word], now: datetime) -> tuple[datetime, datetime] | None:
    """From when to when a host's slots can be judged now; None where it may have more to tell."""
    if now - word.seen_at <= SILENCE:
        until = word.seen_at if word.settled else None
    else:
        # Dead, or was the database away for all? A settled host has had the database for a while, as this one would.
        others = any(other.settled and now - other.seen_at <= GAP for other in words)
        until = now if others else None
    after = word.accounted_until or BEGINNING
    return (after, until) if until and after < until else None


def _longest(connection: Connection, oldest: datetime) -> timedelta:
    """The longest patience there is, so that a job that is gone since is still found."""
    [(seconds,)] = connection.execute(
        "SELECT coalesce(max(coalesce((options->>'jitter')::float, 0) + coalesce((options->>'grace')::float, 0)"
        " + coalesce((options->>'timeout')::float, 0)), 0) FROM deployed_job"
        " WHERE valid_until IS NULL OR valid_until > %s - interval '40 days'",
        [oldest],
    ).fetchall()
    return timedelta(seconds=float(seconds) + 3600)


def _steps(
    windows: Mapping[str, tuple[datetime, datetime]], deployed: Iterable[DeployedJob]
) -> Iterable[dict[str, tuple[datetime, datetime]]]:
    """The windows cut into pieces that memory holds; nothing is due before the first deployment."""
    first = min((each.since for each in deployed), default=None)
    if first is None:
        return
    at = max(min(after for after, _ in windows.values()), first)
    last = max(until for _, until in windows.values())
    while at < last:
        step = {
            name: (max(after, at), min(until, at + STEP))
            for name, (after, until) in windows.items()
            if max(after, at) < min(until, at + STEP)
        }
        if step:
            yield step
        at += STEP


def _judge(
    connection: Connection,
    deployed: Iterable[DeployedJob],
    windows: Mapping[str, tuple[datetime, datetime]],
    seen: Mapping[str, datetime],
    now: datetime,
) -> list[Verdict]:
    slots = judged(deployed, windows)
    without = _without_a_row(connection, list(slots))
    if not without:
        return []
    first = min(slot.at for slot in without)
    # Of all hosts: one that isn't judged now had it too.
    every = defaultdict(list)
    for each in deployments.deployed_of(connection, {(slot.clock, slot.job) for slot in without}, first):
        every[each.clock, each.job].append(each)
    hosts = {
        slot: [each for each in every[slot.clock, slot.job] if each.is_due(slot)] or slots[slot] for slot in without
    }
    holding = pauses.since(connection, first)
    ran = _ran(connection, without, hosts)
    return _write(connection, [_verdict(slot, hosts[slot], holding, ran, seen) for slot in without], now)


def _verdict(
    slot: Slot,
    hosts: Sequence[DeployedJob],
    holding: Iterable[Pause],
    ran: Mapping[tuple[str, str], list[Ran]],
    seen: Mapping[str, datetime],
) -> Verdict:
    return verdict(slot, hosts, holding, ran.get((slot.clock, slot.job), []), seen)


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


def _ran(
    connection: Connection, slots: Sequence[Slot], deployed: Mapping[Slot, Sequence[DeployedJob]]
) -> dict[tuple[str, str], list[Ran]]:
    """The runs that explain slots without a row: those about their times, and the first that was due after them."""
    spans: dict[tuple[str, str], tuple[datetime, datetime, datetime]] = {}
    for slot in slots:
        longest = max(each.timeout for each in deployed[slot])
        latest = slot.at + max(each.patience for each in deployed[slot])
        low, high, last = spans.get((slot.clock, slot.job), (slot.at - longest, latest, slot.at))
        spans[slot.clock, slot.job] = (min(low, slot.at - longest), max(high, latest), max(last, slot.at))
    rows = connection.execute(
        # Two walks down an index for each job; a host that was lost doesn't run for ever (expires_at).
        """
        SELECT job.clock, job.job, run.host, run.scheduled_at, run.started_at, run.ended_at
        FROM unnest(%(clocks)s::text[], %(jobs)s::text[], %(low)s::timestamptz[], %(high)s::timestamptz[],
                    %(last)s::timestamptz[]) AS job (clock, job, low, high, last)
        CROSS JOIN LATERAL (
            (SELECT host, scheduled_at, started_at,
                    CASE WHEN status = 'started' THEN expires_at ELSE coalesce(ended_at, started_at) END AS ended_at
               FROM task_run
              WHERE clock = job.clock AND job = job.job AND started_at BETWEEN job.low AND job.high
                AND status IN ('started', 'ended', 'failed', 'lost'))
            UNION ALL
            (SELECT host, scheduled_at, started_at, ended_at FROM task_run
              WHERE clock = job.clock AND job = job.job AND scheduled_at > job.last AND slot_host IS NOT NULL
                AND status IN ('started', 'ended', 'failed', 'lost')
              ORDER BY scheduled_at LIMIT 1)
        ) AS run ORDER BY run.started_at
        """,
        {
            "clocks": [clock for clock, _ in spans],
            "jobs": [job for _, job in spans],
            "low": [low for low, _, _ in spans.values()],
            "high": [high for _, high, _ in spans.values()],
            "last": [last for _, _, last in spans.values()],
        },
    )
    found = defaultdict(list)
    for clock, job, *run in rows:
        found[clock, job].append(Ran(*run))
    return found


def _write(connection: Connection, verdicts: Sequence[Verdict], now: datetime) -> list[Verdict]:
    """Writes what isn't there yet.

    `started_at` is the nominal time: nothing began, and history goes by it. What is missed was never attempted: a run
    that comes late all the same is the first.
    """
    rows = connection.execute(
        """
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
        """,
        {
            **_columns([each.slot for each in verdicts]),
            "tasks": [each.task for each in verdicts],
            "names": [each.host for each in verdicts],
            "statuses": [each.status for each in verdicts],
            "reasons": [each.reason for each in verdicts],
            "now": now,
        },
    ).fetchall()
    written = {Slot(*row) for row in rows}
    return [each for each in verdicts if each.slot in written]
