"""Requests about a shop's jobs, what became of them, and the runs that the ledger has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.operate.requests.request_rows import Ask
from tests.integration.operate.shop import Database

SELL = "clock-shop-sell.service"
SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)


def hours(number: int) -> datetime:
    return SIX + timedelta(hours=number)


def ask(connection: Database, **asked: Any) -> int:
    wanted: dict[str, Any] = {"kind": "run", "clock": "shop", "job": "sell", "reason": "the till was broken", **asked}
    return request_rows.ask(connection, Ask(**wanted), by="anna")


def result(connection: Database, number: int) -> tuple[str | None, str | None]:
    request = request_rows.find(connection, number)
    return request.outcome, request.why


def runs(connection: Database) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT status, host, trigger, scheduled_at, attempt FROM task_run ORDER BY scheduled_at, started_at"
    ).fetchall()
