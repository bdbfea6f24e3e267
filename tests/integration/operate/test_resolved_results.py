"""`clocks status --bad` reads marked rows only: whatever is written, it finds exactly the jobs that the rule calls bad.

The rule is applied to all rows in Python, after each of hundreds of random writes: runs that begin and end, slots that
are found missed or decided again, renamed hosts, and any UPDATE of any row, with the watch's marks between them.
"""

from __future__ import annotations

import json
import random
import threading
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from scheduled_tasks.operate import deployments, hosts, status
from scheduled_tasks.operate.watch.resolved_results import mark_resolved
from scheduled_tasks.run.status import BAD
from tests.integration.operate.roles import TASKS, as_role, granted
from tests.integration.operate.shop import HOURLY, Database, ran

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINUTE = timedelta(minutes=1)
WRITES = 250
SHARED, EACH = ("count", "sell"), ("clean",)
HOSTS = ("app1", "app2")
FORCED = {"is_forced": True, "is_repeated": True, "is_requested": True}


def deploy(connection: Database, now: datetime, per_host: tuple[str, ...] = EACH) -> None:
    jobs = [
        {"clock": "shop", "job": job, "task": f"shop.{job}", "schedule": HOURLY,
         "options": {"timeout": 600, "per_host": job in per_host}}
        for job in (*SHARED, *EACH)
    ]  # fmt: skip
    for host in HOSTS:
        deployments.report(connection, host, deployments.JobsReport(jobs, f"{per_host}", now, now))


def bad_by_the_rule(connection: Database, now: datetime) -> set[tuple[str, str]]:
    """(job, host) that are bad, from all rows; the host is "" for a job that is judged once for all hosts."""
    rows = connection.execute(
        "SELECT job, coalesce(slot_host, host), scheduled_at, slot_host, status, started_at, ended_at FROM task_run"
        " WHERE started_at <= %(now)s AND (scheduled_at <= %(now)s OR scheduled_at IS NULL)",
        {"now": now},
    ).fetchall()
    past = connection.execute(
        "SELECT job, scheduled_at, slot_host, status, started_at, ended_at FROM past_attempt ORDER BY replaced_at"
    ).fetchall()
    deployed = deployments.deployed_now(connection)
    judged = {(job.job, job.host if job.options.get("per_host") else "") for job in deployed}
    return {pair for pair in judged if _is_bad([row for row in rows if _counts(row, *pair)], past, now)}


def _counts(row: tuple[Any, ...], job: str, host: str) -> bool:
    return row[0] == job and host in {"", row[1]}


def _at(became: str, started: datetime, ended: datetime | None) -> datetime:
    return (ended or started) if became in {"ended", "failed"} else started


def _is_bad(rows: list[tuple[Any, ...]], past: list[tuple[Any, ...]], now: datetime) -> bool:
    good = [_at(*row[4:]) for row in rows if row[4] == "ended"]
    bad = [_at(*row[4:]) for row in rows if row[4] in BAD]
    running = max((row for row in rows if row[4] == "started"), key=lambda row: row[5], default=None)
    if running and running[5] > now - timedelta(days=7):
        before = [row for row in past if (row[0], *row[1:3]) == (running[0], *running[2:4]) and row[3] in BAD]
        bad += [_at(*row[3:]) for row in before[-1:]]
    bad = [at for at in bad if at <= now]
    return bool(bad) and not any(max(bad) <= at <= now for at in good)


def bad_by_status(connection: Database, now: datetime, *, bad_only: bool) -> set[tuple[str, str]]:
    judged = status.jobs(connection, now, bad_only=bad_only)
    assert all(job.is_bad for job in judged) or not bad_only
    return {(job.job, failure.host) for job in judged for failure in job.failures}


class Writers:
    """Every kind of write, with random values of the last hours."""

    def __init__(self, connection: Database, seed: int, now: datetime) -> None:
        self.connection, self.random, self.now = connection, random.Random(seed), now
        self.open: list[dict[str, Any]] = []
        self.hosts = list(HOSTS)

    def run(self) -> dict[str, Any]:
        """What a run knows when it starts."""
        job, host = self.random.choice((*SHARED, *EACH)), self.random.choice(self.hosts)
        slot = self.now - self.random.randrange(1, 90) * MINUTE
        slot_host = self.random.choice([host if job in EACH else "", host if job in EACH else "", None])
        return {
            "run_id": str(uuid.UUID(int=self.random.getrandbits(128))), "task": f"shop.{job}", "clock": "shop",
            "job": job, "scheduled_at": slot.isoformat() if slot_host is not None else None, "slot_host": slot_host,
            "host": host, "trigger": "timer", "attempt": 1, "age": self.random.randrange(5400), "expires_in": 600.0,
            "is_idempotent": self.random.random() < 0.3, "is_exclusive": False, "is_resolved": True,
        }  # fmt: skip

    def begins(self) -> None:
        run = self.run() | (FORCED if self.random.random() < 0.6 else {})
        query = "SELECT attempt FROM open_run(%s::jsonb, NULL)"
        [(attempt,)] = self.connection.execute(query, [json.dumps(run)]).fetchall()
        if attempt is not None:
            self.open.append({"run_id": run["run_id"], "attempt": attempt})

    def ends(self) -> None:
        if self.open:
            run = self.open.pop(self.random.randrange(len(self.open)))
            became = self.random.choice(["ended", "ended", "failed", "skipped"])
            result = json.dumps({**run, "status": became, "duration": self.random.randrange(60), "exit_code": 0})
            self.connection.execute("SELECT close_run(%s::jsonb)", [result])

    def is_found_missed(self) -> None:
        run, at = self.run(), self.now - self.random.randrange(1, 90) * MINUTE
        slot_host = run["slot_host"] or ""
        self.connection.execute(
            "INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status,"
            " started_at, attempt) VALUES (%s, 't', 'shop', %s, %s, %s, %s, 'watch', 'missed', %s, 0)"
            " ON CONFLICT DO NOTHING",
            [run["run_id"], run["job"], at, slot_host, run["host"], at],
        )

    def is_decided_again(self) -> None:
        job = self.random.choice(SHARED)
        deployments.reopen(self.connection, "shop", job, self.now - self.random.randrange(60) * MINUTE)

    def is_rewritten(self) -> None:
        """As reconcile, a takeover, a renamed host or anybody with the rights can write it."""
        changes = {
            "status": self.random.choice(["ended", "failed", "lost", "missed", "skipped", "started"]),
            "ended_at": self.now - self.random.randrange(5400) * timedelta(seconds=1),
            "host": self.random.choice(self.hosts),
            "started_at": self.now - self.random.randrange(5400) * timedelta(seconds=1),
        }
        column = self.random.choice(list(changes))
        self.connection.execute(
            f"UPDATE task_run SET {column} = %s WHERE run_id = (SELECT run_id FROM task_run ORDER BY md5(%s || run_id)"
            " LIMIT 1)".encode(),
            [changes[column], str(self.random.random())],
        )

    def is_renamed(self) -> None:
        old = self.random.choice(self.hosts)
        new = f"app{self.random.randrange(3, 10**6)}"
        hosts._rename(self.connection, old, new, self.now)
        self.hosts[self.hosts.index(old)] = new

    def is_marked(self) -> None:
        mark_resolved(self.connection, self.now - self.random.choice([0, 0, 30]) * MINUTE)

    def all(self) -> Iterator[Callable[[], None]]:
        kinds = [*[self.begins] * 5, *[self.ends] * 6, *[self.is_found_missed] * 3, self.is_decided_again]
        kinds += [*[self.is_rewritten] * 3, *[self.is_marked] * 6]
        for number in range(WRITES):
            yield self.is_renamed if number % 97 == 96 else self.random.choice(kinds)


@pytest.mark.parametrize("seed", [17, 18])
def test_whatever_is_written_the_marks_hide_no_bad_job_and_show_no_other(connection: Database, seed: int) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    deploy(connection, now - timedelta(days=1))
    writers = Writers(connection, seed, now)
    seen: set[tuple[str, str]] = set()
    for number, write in enumerate(writers.all()):
        write()
        if number == WRITES // 2:  # jobs become ones with per_host, and back
            deploy(connection, now, (*SHARED,))
        expected = bad_by_the_rule(connection, now + MINUTE)
        seen |= {(job, "" if host == "" else "host") for job, host in expected}
        assert bad_by_status(connection, now + MINUTE, bad_only=True) == expected, (number, write.__name__)
        assert bad_by_status(connection, now + MINUTE, bad_only=False) == expected, (number, write.__name__)
    assert len(seen) > 3
    [(marked,)] = connection.execute("SELECT count(*) FROM task_run WHERE is_resolved").fetchall()
    assert marked > 5


def unresolved(connection: Database) -> int:
    return connection.execute("SELECT FROM task_run WHERE status = ANY (%s) AND NOT is_resolved", [list(BAD)]).rowcount


def test_a_failure_after_which_a_run_ended_well_is_read_no_more(connection: Database, hour: datetime) -> None:
    for number in range(5, 1, -1):
        ran(connection, "count", hour - number * MINUTE, "failed")
    ran(connection, "sell", hour, "missed")
    assert mark_resolved(connection, hour + MINUTE) == 0
    ran(connection, "count", hour - MINUTE, "ended")
    assert (mark_resolved(connection, hour + MINUTE), unresolved(connection)) == (4, 1)
    connection.execute("UPDATE task_run SET reason = 'it was the till' WHERE status = 'failed' AND started_at = %s",
                       [hour - 2 * MINUTE])  # fmt: skip
    assert unresolved(connection) == 2
    assert mark_resolved(connection, hour + MINUTE) == 1


def test_a_task_cannot_have_its_failure_marked(connection: Database, hour: datetime) -> None:
    run = {"run_id": str(uuid.uuid4()), "task": "t", "clock": "shop", "job": "count", "host": "app1", "attempt": 1,
           "trigger": "timer", "scheduled_at": hour.isoformat(), "slot_host": "", "is_idempotent": False,
           "is_exclusive": False, "expires_in": 60.0, "age": 0.0, "is_resolved": True}  # fmt: skip
    with granted(connection), as_role(connection, TASKS) as tasks:
        tasks.execute("SELECT open_run(%s::jsonb, NULL)", [json.dumps(run)])
        failed = {"run_id": run["run_id"], "attempt": 1, "status": "failed", "duration": 1.0, "is_resolved": True}
        tasks.execute("SELECT close_run(%s::jsonb)", [json.dumps(failed)])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            tasks.execute("UPDATE task_run SET is_resolved = true")
    assert unresolved(connection) == 1


def test_a_good_run_that_is_undone_while_the_watch_marks_undoes_the_marks(
    connection: Database, database_url: str, hour: datetime
) -> None:
    ran(connection, "count", hour - 2 * MINUTE, "failed")
    ran(connection, "count", hour - MINUTE, "ended")
    undo = "UPDATE task_run SET status = 'skipped' WHERE status = 'ended'"
    with closing(psycopg.connect(database_url, autocommit=True)) as other:
        undoing = threading.Thread(target=lambda: other.execute(undo))
        with connection.transaction():
            assert mark_resolved(connection, hour) == 1
            undoing.start()
            waits = "SELECT FROM pg_stat_activity WHERE query = %s AND wait_event_type = 'Lock'"
            with closing(psycopg.connect(database_url, autocommit=True)) as observer:
                while not observer.execute(waits, [undo]).rowcount:
                    pass
        undoing.join()
    assert unresolved(connection) == 1
    assert bad_by_status(connection, hour + timedelta(hours=1), bad_only=True) == {("count", "")}
