"""The slot that tests of claims run, and its rows in the ledger."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg

from tests.integration.run.support import Finished, Project, Running

Start = Callable[..., Running]
Database = psycopg.Connection[Any]

SLOT = datetime(2026, 11, 24, 6, tzinfo=UTC)
AT = "--at=2026-11-24T06:00:00Z"
NAMED = ("--clock=shop", "--job=work", AT)
HERE = socket.gethostname()


def write(connection: Database, **columns: object) -> None:
    """Insert a row of the slot, by another host."""
    row = {
        "run_id": "11111111-1111-4111-8111-111111111111", "task": "slots.again", "clock": "shop", "job": "work",
        "scheduled_at": SLOT, "slot_host": "", "host": "app2", "trigger": "timer", "status": "ended",
        "started_at": SLOT, **columns,
    }  # fmt: skip
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    connection.execute(f"INSERT INTO task_run ({names}) VALUES ({places})", list(row.values()))


def rows(connection: Database, columns: str = "status, host, attempt, reason") -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT {columns} FROM task_run ORDER BY scheduled_at, job").fetchall()


def by_watch(shop: Project, task: str, *argv: str) -> Finished:
    return shop.run(task, *NAMED, *argv, SCHEDULED_TASKS_TRIGGER="watch")
