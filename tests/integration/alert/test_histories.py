"""Random histories: whatever fails, recovers, is paused or killed, each incident and its end is told exactly once.

A history writes results of a few jobs, lets two watches judge and senders send, and kills each of them at any of its
statements. An oracle that keeps all results in a list judges the same. In the end both must have seen the same
incidents, and what arrived outside must tell of each one's beginning and end exactly once; a message comes twice, with
the same id, at most as often as a sender was killed. SCHEDULED_TASKS_HISTORIES is how many histories are lived through.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import psycopg

from scheduled_tasks.alert import outbox
from scheduled_tasks.alert.incidents import What
from scheduled_tasks.alert.judge import judge
from scheduled_tasks.operate import pauses
from scheduled_tasks.operate.slots import Pause, Scope
from tests.integration.alert.mortal import Killed, Mortal
from tests.integration.alert.simulation import MINUTE, Database, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterator

HISTORIES = int(os.environ.get("SCHEDULED_TASKS_HISTORIES", "25"))
SEED = int(os.environ.get("SCHEDULED_TASKS_HISTORIES_SEED", "18"))
EVENTS = 40
HOSTS = ("app1", "app2")


class JobKind(NamedTuple):
    """A job of a history."""

    name: str
    alert_after: int
    per_host: bool = False
    quiet: str = ""


JOBS = (
    JobKind("sell", 1),
    JobKind("count", 3),
    JobKind("clean", 2, per_host=True),
    JobKind("index", 1, quiet="22:00-18:00"),
)


class Result(NamedTuple):
    """A result, as the oracle keeps it."""

    at: datetime
    status: str
    counts: bool = True


@dataclass
class Subject:
    """What the oracle knows of a job, or of a job on a host: its results, and its incidents as (is open)."""

    alert_after: int
    results: list[Result] = field(default_factory=list)
    is_paused: bool = False
    running_again: bool = False
    incidents: list[bool] = field(default_factory=list)

    def judge(self) -> None:
        """Open or close an incident by all results."""
        good = max((result.at for result in self.results if result.status == "ended"), default=None)
        bad = [result for result in self.results if result.status != "ended" and (good is None or result.at > good)]
        counted = [result for result in bad if result.counts]
        is_open = bool(self.incidents) and self.incidents[-1]
        if is_open and not bad and not self.running_again:
            self.incidents[-1] = False
        enough = any(result.status == "missed" for result in counted) or len(counted) >= self.alert_after
        if not is_open and counted and enough and not self.is_paused:
            self.incidents.append(True)


class History:
    """One history."""

    def __init__(self, ledger: Simulation, clock: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.ledger, self.clock = ledger, clock
        self.subjects: dict[tuple[str, str], Subject] = {}
        self.inbox: list[tuple[UUID, frozenset[tuple[int, str]]]] = []
        self.said: set[What] = set()
        self.kills = 0
        self.few = self.random.random()  # the fewer jobs, the sooner one is flapping
        for job in JOBS:
            hosts = HOSTS if job.per_host else HOSTS[:1]
            options: dict[str, Any] = {"alert_after": job.alert_after, "per_host": job.per_host, "quiet": job.quiet}
            ledger.deploy(job.name, clock=clock, hosts=hosts, **options)
            for host in hosts:
                self.subjects[job.name, host if job.per_host else ""] = Subject(job.alert_after)

    def live(self) -> None:
        """Live through it, and then until everything that was held is sent."""
        events: list[tuple[int, Callable[[], None]]] = [
            (8, self.slot), (4, self.by_hand), (2, self.rerun), (2, self.pause), (5, self.watch), (6, self.send),
        ]  # fmt: skip
        weights = [weight for weight, _ in events]
        for _ in range(EVENTS):
            self.ledger.wait(timedelta(seconds=self.random.choice([5, 20, 61, 600])))
            [(_, event)] = self.random.choices(events, weights)
            event()
        for number in range(40):
            self.ledger.wait(timedelta(minutes=10) if number < 10 else timedelta(hours=1))
            if number == 0:
                self.judge(self.ledger.owner)
            while self.send_one(self.ledger.owner):
                pass

    def someone(self) -> tuple[str, str]:
        """Any job."""
        subjects = list(self.subjects)
        return subjects[int(self.random.random() * self.few * len(subjects))]

    def slot(self) -> None:
        """A slot ends, or is missed; sometimes only after the writer was killed, or could not reach the database."""
        job, host = self.someone()
        status = self.random.choice(["ended", "failed", "failed", "missed", "lost"])
        at = self.ledger.now
        values: dict[str, Any] = {
            "clock": self.clock,
            "slot_host": host,
            "host": host or "app1",
            "scheduled_at": at,
            "ended_at": at,
        }
        if self.random.random() < 0.15:
            mortal = Mortal(self.ledger.connect(), 1, after=False)
            with suppress(Killed):
                self.ledger.result(job, status, connection=mortal, **values)  # type: ignore[arg-type]
            self.ledger.wait(timedelta(seconds=self.random.choice([3, 90])))  # it is in the spool until then
        self.ledger.result(job, status, **values)
        self.subjects[job, host].results.append(Result(at, status))
        self.subjects[job, host].judge()

    def by_hand(self) -> None:
        """A person runs a job, for no slot."""
        job, host = self.someone()
        status, at = self.random.choice(["ended", "failed"]), self.ledger.now
        self.ledger.result(
            job, status, clock=self.clock, slot_host=None, host=host or "app1", scheduled_at=None, started_at=at,
            trigger="manual",
        )  # fmt: skip
        self.subjects[job, host].results.append(Result(at, status, counts=False))
        self.subjects[job, host].judge()

    def rerun(self) -> None:
        """A person runs a bad slot again: the watch sees it running, then it ends."""
        job, host = self.someone()
        subject = self.subjects[job, host]
        row = self.ledger.owner.execute(
            "SELECT run_id, coalesce(ended_at, started_at), started_at, status FROM task_run WHERE clock = %s"
            " AND job = %s AND slot_host = %s AND status IN ('failed', 'missed', 'lost')"
            " ORDER BY started_at DESC LIMIT 1",
            [self.clock, job, host],
        ).fetchone()
        if row is None:
            return
        run_id, ended_at, started_at, status = row
        subject.results.remove(Result(ended_at if status == "failed" else started_at, status))
        subject.running_again = True
        self.ledger.owner.execute(
            "UPDATE task_run SET run_id = gen_random_uuid(), attempt = attempt + 1, status = 'started',"
            " started_at = %s, ended_at = NULL, trigger = 'manual' WHERE run_id = %s",
            [self.ledger.now, run_id],
        )
        self.watch()
        at = self.ledger.wait(MINUTE)
        status = self.random.choice(["ended", "failed"])
        subject.running_again = False
        subject.results.append(Result(at, status))
        self.ledger.owner.execute(
            "UPDATE task_run SET attempt = greatest(attempt, 2), status = %s, ended_at = %s"
            " WHERE status = 'started' AND clock = %s",
            [status, at, self.clock],
        )
        subject.judge()

    def pause(self) -> None:
        """A job is paused, or the pause ends."""
        job, host = self.someone()
        scope = Scope(self.clock, job, host or None)
        subject = self.subjects[job, host]
        if subject.is_paused:
            pauses.resume(self.ledger.owner, scope, by="anna", at=self.ledger.now)
        else:
            pauses.pause(self.ledger.owner, Pause(scope, self.ledger.now, "anna", "stocktaking", None))
        subject.is_paused = not subject.is_paused

    def watch(self) -> None:
        """Two watches judge; one may be killed at any of its statements."""
        if self.random.random() < 0.3:
            mortal = Mortal(self.ledger.connect(), self.random.randint(1, 12), after=self.random.random() < 0.5)
            with suppress(Killed, psycopg.Error):
                judge(mortal, self.ledger.now, has_routes=True)  # type: ignore[arg-type]
        self.ledger.wait(timedelta(seconds=31))
        self.judge(self.ledger.owner)

    def judge(self, connection: Database) -> None:
        """One watch judges, and so does the oracle."""
        judge(connection, self.ledger.now, has_routes=True)
        for subject in self.subjects.values():
            subject.judge()

    def send(self) -> None:
        """A sender sends all that is due; it may be killed at any of its statements, or its route may fail."""
        if self.random.random() < 0.5:
            connection: Any = self.ledger.connect()
            connection = Mortal(connection, self.random.randint(1, 25), after=self.random.random() < 0.5)
        else:
            connection = self.ledger.owner
        try:
            while self.send_one(connection, fails=self.random.random() < 0.2):
                pass
        except (Killed, psycopg.Error):
            self.kills += 1

    def send_one(self, connection: Database, *, fails: bool = False) -> bool:
        """Send one message; whether there was one."""
        deliveries = outbox.take(connection, self.ledger.now, default=["ops"], fallback="pager")
        for delivery in deliveries:
            if fails:
                outbox.failed(connection, delivery, self.ledger.now, "refused")
                continue
            self.said.add(delivery.what)
            notices = zip(delivery.incidents, delivery.notices, strict=True)
            self.inbox.append((delivery.id, frozenset((incident.id, notice.what) for incident, notice in notices)))
            outbox.sent(connection, delivery, self.ledger.now)
        return bool(deliveries)

    def check(self) -> None:
        """Compare with the oracle and with what arrived."""
        rows = self.ledger.owner.execute(
            "SELECT id, job, host, closed_at IS NULL FROM incident WHERE clock = %s ORDER BY opened_at, id",
            [self.clock],
        ).fetchall()
        for (job, host), subject in self.subjects.items():
            mine = [is_open for _, name, of, is_open in rows if (name, of) == (job, host)]
            assert mine == subject.incidents, (job, host)
        copies = Counter(message for message, _ in self.inbox)
        assert len({(message, told) for message, told in self.inbox}) == len(copies), "a repeated message says the same"
        ours = {number for number, *_ in rows}  # the others are of the whole: a notice was overdue
        told = Counter(
            (number, what) for changes in dict(self.inbox).values() for number, what in changes
            if what != "still" and number in ours
        )  # fmt: skip
        expected = {(number, "opened") for number, *_ in rows} | {
            (number, "closed") for number, *_, is_open in rows if not is_open
        }
        assert told == Counter(expected)
        assert sum(copies.values()) - len(copies) <= self.kills


def histories() -> Iterator[int]:
    """The seeds."""
    return iter(range(SEED * 100_000, SEED * 100_000 + HISTORIES))


def test_somebody_is_told_of_each_incident_once_and_of_its_end_once(ledger: Simulation) -> None:
    said: set[What] = set()
    for seed in histories():
        history = History(ledger, f"h{seed}", seed)
        history.live()
        said |= history.said
        try:
            history.check()
        except AssertionError as error:
            raise AssertionError(f"history of seed {seed}: {error}") from error
        ledger.close()
        ledger.owner.execute("UPDATE deployed_job SET valid_until = %s WHERE valid_until IS NULL", [ledger.now])
        ledger.owner.execute("DELETE FROM task_run")
        ledger.owner.execute("UPDATE incident SET closed_at = %s WHERE closed_at IS NULL", [ledger.now])
        ledger.owner.execute("DELETE FROM incident")
        ledger.owner.execute("DELETE FROM pause")
        ledger.owner.execute("DELETE FROM past_attempt")
    assert said == set(What), "there was something of everything"
