"""The services of simulated hosts: a start claims its slot and records its run in the database as run-task does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.requests.carry_out import carry_out
from scheduled_tasks.operate.requests.services import ServiceState
from scheduled_tasks.operate.slots import DeployedJob
from scheduled_tasks.schedule.trigger import Trigger

if TYPE_CHECKING:
    import psycopg

    Database = psycopg.Connection[Any]


class Killed(BaseException):
    """The watch is killed here: nothing after it happens."""


@dataclass(frozen=True)
class Start:
    """A start of a service that reached run-task."""

    unit: str
    run_id: UUID
    at: datetime | None
    trigger: str


@dataclass
class SimulatedServices:
    """The services of one host.

    Attributes:
        connection: of the host's run-task.
        host: its name.
        lasting: the services whose runs go on until they are stopped.
        failing: those whose runs fail.
        slow: those whose run-task has not begun before `arrive`.
        broken: those that are started and run nothing, because a condition of the unit is not met.
        starts: what reached run-task, in order.
    """

    connection: Database
    host: str
    lasting: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    starts: list[Start] = field(default_factory=list)
    _running: dict[str, tuple[UUID, str]] = field(default_factory=dict)
    _requested: dict[str, str] = field(default_factory=dict)
    _asked: dict[str, str] = field(default_factory=dict)

    def state(self, unit: str) -> ServiceState:
        _, invocation = self._running.get(unit, (None, ""))
        problem = f"one of the conditions of {unit} is not met" if unit in self.broken else ""
        return ServiceState(unit in self._running, invocation, self._requested.get(unit, ""), problem)

    def start(self, unit: str, run_id: UUID, *, at: datetime | None, trigger: str, force: bool) -> None:
        if unit in self.broken:
            return
        self.starts.append(Start(unit, run_id, at, trigger))
        self._requested[unit] = str(run_id)
        clock, job = unit.removeprefix("clock-").removesuffix(".service").split("-")
        invocation = uuid4().hex
        asked = {
            "run_id": str(run_id), "task": f"t.{job}", "clock": clock, "job": job, "host": self.host,
            "trigger": trigger, "attempt": 1, "is_idempotent": False, "is_exclusive": False, "age": 0,
            "expires_in": 600, "scheduled_at": at.isoformat() if at else None, "slot_host": "" if at else None,
            "is_requested": at is not None, "is_repeated": at is not None, "is_forced": force,
            "invocation_id": invocation,
        }  # fmt: skip
        self._running[unit] = (run_id, invocation)
        self._asked[unit] = json.dumps(asked)
        if unit not in self.slow:
            self.arrive(unit)

    def arrive(self, unit: str) -> None:
        """The run-task of a service claims its slot; unless it lasts, its run ends at once."""
        row = self.connection.execute(
            "SELECT attempt FROM open_run(%s, clock_timestamp() + interval '9 s')", [self._asked[unit]]
        ).fetchone()
        if not (row and row[0]):  # the slot is another run's
            self._running.pop(unit)
        elif unit not in self.lasting:
            self.end(unit, "failed" if unit in self.failing else "ended")

    def end(self, unit: str, status: str = "ended") -> None:
        """The run of a service ends."""
        run_id, _ = self._running.pop(unit)
        self._requested.pop(unit, None)
        [(attempt,)] = self.connection.execute("SELECT attempt FROM task_run WHERE run_id = %s", [run_id]).fetchall()
        error = "no stock" if status == "failed" else None
        result = {"run_id": str(run_id), "attempt": attempt, "status": status, "duration": 1, "error_message": error}
        self.connection.execute("SELECT close_run(%s)", [json.dumps(result)])

    def stop(self, unit: str) -> None:
        self.end(unit, "failed")

    def store_logs(self, connection: Database) -> None:
        connection.execute(
            "UPDATE run_log SET lines = '{}', captured_at = clock_timestamp() WHERE host = %s AND captured_at IS NULL",
            [self.host],
        )


@dataclass
class SimulatedHost:
    """A host with jobs, whose watch works on requests."""

    connection: Database
    name: str
    jobs: dict[tuple[str, str], DeployedJob]
    services: SimulatedServices

    def watch(self, *, seconds: float = 0, connection: Any = None) -> list[str]:
        """One pass of its watch, as far as requests are concerned."""
        [(now,)] = self.connection.execute("SELECT clock_timestamp()").fetchall()
        database = connection or self.connection
        return carry_out(database, self.name, self.jobs, self.services, now, seconds=seconds)


HOURLY = {"kind": "cron", "zone": "UTC", "minutes": [0], "seconds": [0]}


def host_with(connection: Database, name: str, *jobs: str) -> SimulatedHost:
    """A host that has reported jobs `CLOCK/JOB`, each due at every full hour of UTC."""
    deployed = {}
    listed = []
    for which in jobs:
        clock, job = which.split("/")
        options = {"catch_up": True, "timeout": 600.0, "paused": False}
        listed.append({"clock": clock, "job": job, "task": f"t.{job}", "schedule": HOURLY, "options": options})
        since = datetime(2026, 1, 1, tzinfo=UTC)
        trigger = Trigger.from_json(HOURLY)
        deployed[clock, job] = DeployedJob(name, clock, job, f"t.{job}", trigger, options, since)
    since = datetime.now(UTC) - timedelta(days=1)
    deployments.report(connection, name, deployments.JobsReport(listed, name, since, since))
    connection.execute("UPDATE host SET heartbeat_at = clock_timestamp() WHERE name = %s", [name])
    return SimulatedHost(connection, name, deployed, SimulatedServices(connection, name))
