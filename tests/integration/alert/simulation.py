"""A ledger with jobs whose results the tests write, at a time that the tests set: judgement has no other clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from scheduled_tasks.run.database import connect

Database = psycopg.Connection[Any]
START = datetime(2026, 11, 24, 6, tzinfo=UTC)
EVERY_MINUTE = {"kind": "cron", "zone": "UTC", "seconds": [0]}
DAILY = {"kind": "cron", "zone": "UTC", "hours": [3], "minutes": [0], "seconds": [0]}
MINUTE = timedelta(minutes=1)

# The function that gives the time to the triggers and to judge_job().
TIME = """
CREATE TABLE test_time (at timestamptz NOT NULL);
INSERT INTO test_time VALUES (%s);
CREATE OR REPLACE FUNCTION alert_time() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM test_time';
"""


class Simulation:
    """A database in which it is `now`."""

    def __init__(self, owner: Database) -> None:
        self.owner = owner
        self.now = START
        self.connections: list[Database] = []
        for statement in TIME.split(";\n"):
            owner.execute(statement.encode(), [START] if "%s" in statement else None)

    @property
    def url(self) -> str:
        """Of the database."""
        return self.owner.info.dsn

    def connect(self, name: str = "test") -> Database:
        """A connection as the commands have it."""
        self.connections.append(connect(self.url, name=name))
        return self.connections[-1]

    def close(self) -> None:
        """Close all connections but the owner's."""
        while self.connections:
            self.connections.pop().close()

    def wait(self, step: timedelta) -> datetime:
        """Let time pass."""
        self.now += step
        self.owner.execute("UPDATE test_time SET at = %s", [self.now])
        return self.now

    def deploy(
        self,
        job: str,
        *,
        hosts: tuple[str, ...] = ("app1",),
        schedule: dict[str, Any] = EVERY_MINUTE,
        clock: str = "shop",
        **options: Any,
    ) -> None:
        """Deploy a job, in place of what it was."""
        self.owner.execute(
            "UPDATE deployed_job SET valid_until = %s WHERE clock = %s AND job = %s AND valid_until IS NULL",
            [self.now, clock, job],
        )
        for host in hosts:
            self.owner.execute(
                "INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)"
                " VALUES (%s, %s, %s, 'sales.work', %s, %s, %s)",
                [host, clock, job, json.dumps(schedule), json.dumps(options), self.now],
            )

    def result(self, job: str, status: str, *, connection: Database | None = None, **columns: Any) -> UUID:
        """Write a result that ends now, of a slot that was due a second ago; `columns` replaces what is usual."""
        at = columns.get("scheduled_at", self.now - timedelta(seconds=1))
        values = {
            "run_id": uuid4(), "task": "sales.work", "clock": "shop", "job": job, "scheduled_at": at, "slot_host": "",
            "host": "app1", "trigger": "watch" if status == "missed" else "timer", "status": status, "started_at": at,
            "ended_at": self.now, "attempt": 0 if status == "missed" else 1, **columns,
        }  # fmt: skip
        names = ", ".join(values)
        (connection or self.owner).execute(
            f"INSERT INTO task_run ({names}) VALUES ({', '.join(['%s'] * len(values))})".encode(), list(values.values())
        )
        run_id = values["run_id"]
        assert isinstance(run_id, UUID)
        self.owner.execute("UPDATE run_log SET requested_at = %s WHERE run_id = %s", [self.now, run_id])
        return run_id

    def heartbeat(self, host: str = "app1", *, ago: timedelta = timedelta(), accounted: bool = True) -> None:
        """Record a host's heartbeat, after an hour of others."""
        at = self.now - ago
        self.owner.execute(
            "INSERT INTO host (name, heartbeat_at, heartbeats_since, accounted_at) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (name) DO UPDATE SET heartbeat_at = excluded.heartbeat_at,"
            " accounted_at = coalesce(excluded.accounted_at, host.accounted_at)",
            [host, at, at - timedelta(hours=1), at if accounted else None],
        )

    def open_incidents(self) -> list[tuple[Any, ...]]:
        """Kind, job, host, bad and missed of each open incident."""
        return self.owner.execute(
            "SELECT kind, coalesce(job, ''), host, bad, missed FROM incident WHERE closed_at IS NULL ORDER BY 1, 2, 3"
        ).fetchall()

    def notices(self) -> list[tuple[Any, ...]]:
        """Kind, job and what of each notice, in the order in which they were written."""
        return self.owner.execute(
            "SELECT kind, coalesce(job, ''), what FROM notice JOIN incident ON incident.id = notice.incident"
            " ORDER BY created_at, what DESC"
        ).fetchall()
