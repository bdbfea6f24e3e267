"""Simulated hosts with timers that follow systemd's rules: what is due, and what runs when.

For the account's tests. It uses none of the product's code for schedules: nominal times are counted date by date, or by
minutes of the hour. Runs are written to the database as run-task does it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from scheduled_tasks.operate import deployments, pauses
from scheduled_tasks.operate.account import account
from scheduled_tasks.operate.slots import Pause, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

PARIS = ZoneInfo("Europe/Paris")
ELSEWHERE = "laptop"
# Due in a pause, and started after it because the host was off: it runs, unless the watch has recorded it as skipped.
EITHER = "skipped or ended"
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Rule(NamedTuple):
    """Each day at an hour and minute in Paris, or every so many minutes (a part of an hour)."""

    every: int = 0
    hour: int = 0
    minute: int = 0

    def due(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The due instants after one instant, up to and including another."""
        if self.every:
            at = after.replace(minute=0, second=0, microsecond=0)
            while at <= until:
                if at > after:
                    yield at
                at += self.every * MINUTE
            return
        day = after.astimezone(PARIS).date() - timedelta(days=1)
        while day <= until.astimezone(PARIS).date():
            at = self._on(day)
            if after < at <= until:
                yield at
            day += timedelta(days=1)

    def _on(self, day: date) -> datetime:
        """By PEP 495's fold=0: a time in a gap is later by the gap, a time in a fold is the first of the two."""
        local = datetime(day.year, day.month, day.day, self.hour, self.minute, tzinfo=PARIS)
        return local.astimezone(UTC)

    def schedule(self) -> dict[str, Any]:
        """The schedule as in jobs.json."""
        if self.every:
            return {"kind": "cron", "zone": "Europe/Paris", "minutes": list(range(0, 60, self.every)), "seconds": [0]}
        times = {"hours": [self.hour], "minutes": [self.minute], "seconds": [0]}
        return {"kind": "cron", "zone": "Europe/Paris", **times}


class Job(NamedTuple):
    """A job: its rule, whether it is caught up, whether every host has its own slots."""

    name: str
    rule: Rule
    catch_up: bool = True
    per_host: bool = False

    def as_deployed(self) -> dict[str, Any]:
        """The job as in jobs.json."""
        options = {"catch_up": self.catch_up, "grace": None, "jitter": None, "timeout": 600.0, "paused": False,
                   "concurrency_limited": False, "per_host": self.per_host}  # fmt: skip
        return {"clock": "c", "job": self.name, "task": f"t.{self.name}", "schedule": self.rule.schedule(),
                "options": options}  # fmt: skip


class Deploy(NamedTuple):
    """From an instant on a host has these jobs."""

    at: datetime
    host: str
    jobs: tuple[Job, ...]


class Span(NamedTuple):
    """From one instant to before another."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.start <= at < self.end


class Held(NamedTuple):
    """A pause: of a job or all (None), on a host by its file or on all by the database (None)."""

    span: Span
    job: str | None
    host: str | None


Key = tuple[str, datetime, str]  # job, slot, host


@dataclass
class World:
    """Everything that happens, known beforehand."""

    start: datetime
    end: datetime
    deploys: list[Deploy]
    down: dict[str, list[Span]] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    looks: timedelta = timedelta(hours=1)

    @property
    def hosts(self) -> list[str]:
        """All hosts."""
        return sorted({deploy.host for deploy in self.deploys})

    def is_up(self, host: str, at: datetime) -> bool:
        """Whether a host runs."""
        return not any(span.holds(at) for span in self.down.get(host, []))

    def is_paused(self, job: str, host: str, at: datetime) -> bool:
        """Whether a pause blocks a job on a host."""
        return any(held.span.holds(at) and held.job in {None, job} and held.host in {None, host} for held in self.held)

    def deployments(self) -> Iterator[tuple[str, Job, Span]]:
        """The jobs of all hosts, from when until when each was deployed without a change."""
        for host in self.hosts:
            mine = sorted(deploy for deploy in self.deploys if deploy.host == host)
            for number, deploy in enumerate(mine):
                for job in deploy.jobs:
                    if number and job in mine[number - 1].jobs:
                        continue
                    end = next((later.at for later in mine[number + 1 :] if job not in later.jobs), self.end)
                    yield host, job, Span(deploy.at, end)

    def due(self) -> dict[Key, list[str]]:
        """The slots, with the hosts on which each is due."""
        slots: dict[Key, list[str]] = {}
        for host, job, span in self.deployments():
            for at in job.rule.due(span.start, span.end):
                slots.setdefault((job.name, at, host if job.per_host else ""), []).append(host)
        return slots

    def runs(self) -> list[tuple[datetime, Key, str]]:
        """What systemd starts, as (when, slot, host): in time, or once after a boot, for the last slot that was due."""
        runs = []
        for host, job, span in self.deployments():
            due = list(job.rule.due(span.start, span.end))
            key_host = host if job.per_host else ""
            runs += [(at + SECOND, (job.name, at, key_host), host) for at in due if self.is_up(host, at)]
            for off in self.down.get(host, []):
                missed = [at for at in due if off.holds(at)]
                if job.catch_up and missed and off.end <= span.end:
                    runs.append((off.end + 5 * SECOND, (job.name, missed[-1], key_host), host))
        return sorted(runs)

    def expected(self) -> dict[Key, str]:
        """The brute-force account: the status that every slot must get."""
        due = self.due()
        account = {}
        for key, hosts in due.items():
            job, at, _ = key
            waiting = [host for host in hosts if not self.is_paused(job, host, at)]
            account[key] = "missed" if waiting else "skipped"
        for when, key, host in self.runs():
            if not self.is_paused(key[0], host, when):
                account[key] = "ended" if account[key] != "skipped" or when <= key[1] + SECOND else EITHER
        return account


def live_through(world: World, connection: psycopg.Connection[Any]) -> None:
    """Play everything in order on the database; each host's watch looks twice at a time, a minute apart."""
    happens: list[tuple[datetime, int, str, Any]] = [(when, 1, "run", (key, host)) for when, key, host in world.runs()]
    after = world.end + timedelta(hours=3)
    # `clocks watch` is called elsewhere too: all hosts may be down by then.
    happens += [(after + more, 2, "look", ELSEWHERE) for more in (timedelta(), MINUTE)]
    for number, host in enumerate(world.hosts):
        at = world.start + number * SECOND + 10 * MINUTE
        while at < after:
            happens += [(at + more, 2, "look", host) for more in (timedelta(), MINUTE) if world.is_up(host, at + more)]
            at += world.looks
    for held in world.held:
        if held.host is None:
            happens.append((held.span.start, 0, "pause", held))
    unreported: dict[str, list[Deploy]] = {ELSEWHERE: []}
    unreported |= {host: sorted(deploy for deploy in world.deploys if deploy.host == host) for host in world.hosts}
    for when, _, what, which in sorted(happens, key=lambda event: event[:3]):
        if what == "run":
            _run(connection, world, when, *which)
        elif what == "pause":
            _pause(connection, which)
        else:
            _report(connection, world, which, unreported[which], when)
            account(connection, which, when)


def _report(
    connection: psycopg.Connection[Any], world: World, host: str, unreported: list[Deploy], now: datetime
) -> None:
    while unreported and unreported[0].at <= now:
        deploy = unreported.pop(0)
        listed = [job.as_deployed() for job in deploy.jobs]
        deployments.report(connection, host, deployments.JobsReport(listed, str(deploy.at), deploy.at, deploy.at))
    rows = [
        Pause(
            Scope("c" if held.job else None, held.job, host), held.span.start, "anna", "the till", None,
            resumed_at=held.span.end if held.span.end <= now else None, resumed_by="anna", local_id=f"{host}{number}",
        )
        for number, held in enumerate(world.held)
        if held.host == host and held.span.start <= now
    ]  # fmt: skip
    pauses.report(connection, rows)


def _pause(connection: psycopg.Connection[Any], held: Held) -> None:
    scope = Scope("c" if held.job else None, held.job, None)
    pauses.pause(connection, Pause(scope, held.span.start, "anna", "the till", held.span.end))


def _run(connection: psycopg.Connection[Any], world: World, when: datetime, key: Key, host: str) -> None:
    job, at, slot_host = key
    by_file = any(held.host == host and held.job in {None, job} and held.span.holds(when) for held in world.held)
    if by_file:
        return  # the unit's condition keeps it from starting: it leaves no trace
    paused = world.is_paused(job, host, when)
    connection.execute(
        "INSERT INTO task_run AS run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status,"
        " started_at, ended_at, reason) VALUES (gen_random_uuid(), 't', 'c', %s, %s, %s, %s, 'timer', %s, %s, %s, %s)"
        " ON CONFLICT (clock, job, scheduled_at, slot_host) WHERE slot_host IS NOT NULL DO UPDATE"
        " SET status = excluded.status, host = excluded.host, started_at = excluded.started_at"
        " WHERE run.status = 'missed' AND excluded.status = 'ended'",
        [
            job,
            at,
            slot_host,
            host,
            "skipped" if paused else "ended",
            when,
            when,
            "paused: the till" if paused else None,
        ],
    )
