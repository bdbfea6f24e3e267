"""A shop whose jobs ping outside, and what its hosts and its sender do, at the instants that a test gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks.alert.endpoints import Endpoint
from scheduled_tasks.alert.routes import NotifySettings
from scheduled_tasks.operate import deployments
from scheduled_tasks.run.settings import Settings

if TYPE_CHECKING:
    from tests.integration.operate.shop import Database

MINUTELY = {"kind": "cron", "zone": "UTC"}
IN_JANUARY = {"kind": "cron", "zone": "UTC", "months": [1], "days": [1], "hours": [0], "minutes": [0]}


def configuration(folder: Path, **secrets: str) -> Settings:
    """A configuration whose sender has some credentials."""
    (folder / "credentials").mkdir(exist_ok=True)
    for name, value in secrets.items():
        (folder / f"credentials/notify.{name}").write_text(value)
    values = {"credentials": [f"notify.{name}" for name in secrets]}
    return Settings(folder / "config.toml", values, deployed=True)


def notify(heartbeat_url: str = "", **values: Any) -> NotifySettings:
    """The checked table `[notify]` of such a configuration."""
    return NotifySettings(heartbeat=Endpoint(heartbeat_url), **values)


def deploy(  # noqa: PLR0913 - what is deployed where and when
    connection: Database,
    host: str,
    at: datetime,
    pings: Mapping[str, str],
    *,
    schedule: Mapping[str, Any] = MINUTELY,
    per_host: bool = False,
) -> None:
    """Deploy jobs of the clock `shop`, by their names, with their pings; "" for none."""
    jobs = [
        {
            "clock": "shop", "job": job, "task": f"sales.{job}", "schedule": schedule,
            "options": {"timeout": 600, "per_host": per_host, **({"ping": url} if url else {})},
        }
        for job, url in pings.items()
    ]  # fmt: skip
    deployments.report(connection, host, deployments.JobsReport(jobs, json.dumps(jobs), at, at))


@dataclass(frozen=True)
class Runs:
    """The runs of a job, written as run-task and the watch write them."""

    connection: Database
    job: str
    host: str = "app1"
    clock: str = "shop"

    def start(self, at: datetime, **values: Any) -> str:
        """A run of the slot begins."""
        row = {
            "run_id": None, "task": f"sales.{self.job}", "clock": self.clock, "job": self.job, "scheduled_at": at,
            "slot_host": "", "host": self.host, "trigger": "timer", "status": "started", "started_at": at, **values,
        }  # fmt: skip
        row["run_id"] = row["run_id"] or self.connection.execute("SELECT gen_random_uuid()").fetchone()[0]  # type: ignore[index]
        self.connection.execute(
            f"INSERT INTO task_run ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values())
        )
        return str(row["run_id"])

    def end(self, run_id: str, status: str = "ended", **values: Any) -> None:
        """It ends."""
        row = {"status": status, "duration": 3.0, **values}
        self.connection.execute(
            f"UPDATE task_run SET ended_at = started_at + interval '3 s', {', '.join(f'{name} = %s' for name in row)}"
            " WHERE run_id = %s",
            [*row.values(), run_id],
        )


def old_enough(connection: Database) -> None:
    """Let the starts that wait for their end be a few seconds old."""
    connection.execute("UPDATE ping SET due_at = due_at - interval '5 s'")


def minutes(number: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=number)
