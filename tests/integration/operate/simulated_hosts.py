"""Simulated hosts with timers that follow systemd's rules: what is due, and what runs when.

For the account's tests. It uses none of the package's code for schedules: nominal times are counted date by date, or by
minutes of the hour. Runs are recorded in the database as run-task records them.
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
        """The instant by PEP 495's fold=0: a time in a gap moves by the gap, of a time in a fold the first counts."""
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
    """A deployment: from an instant on, a host has these jobs."""

    at: datetime
    host: str
    jobs: tuple[Job, ...]


class Span(NamedTuple):
    """A period: from one instant up to but not including another."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.start <= at < self.end


class PlannedPause(NamedTuple):
    """A pause of one job or all (None), by a file on one host or by the database on all (None)."""

    span: Span
    job: str | None
    host: str | None


Key = tuple[str, datetime, str]  # job, slot, host


@dataclass
class Scenario:
    """Everything that will happen."""

    start: datetime
    end: datetime
    deploys: list[Deploy]
    down: dict[str, list[Span]] = field(default_factory=dict)
    pauses: list[PlannedPause] = field(default_factory=list)
    watch_interval: timedelta = timedelta(hours=1)

    @property
    def hosts(self) -> list[str]:
        """All hosts."""
        return sorted({deploy.host for deploy in self.deploys})

    def is_up(self, host: str, at: datetime) -> bool:
        """Whether a host runs."""
        return not any(span.holds(at) for span in self.down.get(host, []))

    def is_paused(self, job: str, host: str, at: datetime) -> bool:
        """Whether a pause blocks a job on a host."""
        return any(
            pause.span.holds(at) and pause.job in {None, job} and pause.host in {None, host} for pause in self.pauses
        )

    def deployments(self) -> Iterator[tuple[str, Job, Span]]:
        """The jobs of all hosts, each with the period in which it was deployed unchanged."""
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
        """The starts by systemd as (when, slot, host): punctual ones, and one after a boot for the last due slot."""
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


def live_through(scenario: Scenario, connection: psycopg.Connection[Any]) -> None:
    """Play everything in order on the database; each host's watch runs twice in a row, a minute apart."""
    happens: list[tuple[datetime, int, str, Any]] = [
        (when, 1, "run", (key, host)) for when, key, host in scenario.runs()
    ]
    after = scenario.end + timedelta(hours=3)
    # `clocks watch` is called on another machine, too: all hosts may be down by then.
    happens += [(after + more, 2, "watch", ELSEWHERE) for more in (timedelta(), MINUTE)]
    for number, host in enumerate(scenario.hosts):
        at = scenario.start + number * SECOND + 10 * MINUTE
        while at < after:
            happens += [
                (at + more, 2, "watch", host) for more in (timedelta(), MINUTE) if scenario.is_up(host, at + more)
            ]
            at += scenario.watch_interval
    for pause in scenario.pauses:
        if pause.host is None:
            happens.append((pause.span.start, 0, "pause", pause))
    unreported: dict[str, list[Deploy]] = {ELSEWHERE: []}
    unreported |= {
        host: sorted(deploy for deploy in scenario.deploys if deploy.host == host) for host in scenario.hosts
    }
    for when, _, what, which in sorted(happens, key=lambda event: event[:3]):
        if what == "run":
            _run(connection, scenario, when, *which)
        elif what == "pause":
            _pause(connection, which)
        else:
            _report(connection, scenario, which, unreported[which], when)
            account(connection, which, when)


def _report(
    connection: psycopg.Connection[Any], scenario: Scenario, host: str, unreported: list[Deploy], now: datetime
) -> None:
    while unreported and unreported[0].at <= now:
        deploy = unreported.pop(0)
        listed = [job.as_deployed() for job in deploy.jobs]
        deployments.report(connection, host, deployments.JobsReport(listed, str(deploy.at), deploy.at, deploy.at))
    rows = [
        Pause(
            Scope("c" if pause.job else None, pause.job, host), pause.span.start, "anna", "the till", None,
            resumed_at=pause.span.end if pause.span.end <= now else None, resumed_by="anna", local_id=f"{host}{number}",
        )
        for number, pause in enumerate(scenario.pauses)
        if pause.host == host and pause.span.start <= now
    ]  # fmt: skip
    pauses.report(connection, rows)


def _pause(connection: psycopg.Connection[Any], pause: PlannedPause) -> None:
    scope = Scope("c" if pause.job else None, pause.job, None)
    pauses.pause(connection, Pause(scope, pause.span.start, "anna", "the till", pause.span.end))


def _run(connection: psycopg.Connection[Any], scenario: Scenario, when: datetime, key: Key, host: str) -> None:
    job, at, slot_host = key
    by_file = any(
        pause.host == host and pause.job in {None, job} and pause.span.holds(when) for pause in scenario.pauses
    )
    if by_file:
        return  # the unit's condition keeps it from starting, which leaves no trace
    paused = scenario.is_paused(job, host, when)
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
