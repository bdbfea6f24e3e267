"""The operators' commands in this process, and the rows of a shop's ledger: for the tests of what commands show."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from click.testing import CliRunner, Result

from scheduled_tasks.cli import main
from scheduled_tasks.run import settings

Database = psycopg.Connection[Any]
SHOP = Path(__file__).parents[1] / "run/projects/shop"
HOURLY = {"kind": "cron", "zone": "UTC", "minutes": [0], "seconds": [0]}
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def minutes(number: float) -> datetime:
    """An instant so many minutes after noon."""
    return NOON + timedelta(minutes=number)


def clocks(*argv: str, check: bool = True, configuration: Path = SHOP / "pyproject.toml") -> Result:
    settings.load.cache_clear()
    environment = {"SCHEDULED_TASKS_CONFIG": str(configuration), "SUDO_USER": "anna"}
    done = CliRunner().invoke(main, argv, env=environment, prog_name="clocks")
    settings.load.cache_clear()
    assert not check or done.exit_code in {0, 3}, done.stderr
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def ask(*argv: str) -> Any:
    return json.loads(clocks(*argv, "--json").stdout)


def ran(connection: Database, job: str, at: datetime, status: str, clock: str = "shop", **columns: Any) -> None:
    values = {
        "scheduled_at": at, "slot_host": "", "host": "app1", "trigger": "timer", "started_at": at,
        "ended_at": at + timedelta(seconds=5), **columns,
    }  # fmt: skip
    connection.execute(
        f"INSERT INTO task_run (run_id, task, clock, job, status, {', '.join(values)})"
        f" VALUES (gen_random_uuid(), 't', %s, %s, %s, {', '.join(['%s'] * len(values))})",
        [clock, job, status, *values.values()],
    )


def hours_before(hour: datetime, number: int) -> datetime:
    return hour - timedelta(hours=number)
