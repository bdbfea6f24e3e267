"""A run knows its nominal time if its unit passes the schedule; one that starts after its grace is skipped."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from scheduled_tasks.schedule import read_trigger
from tests.integration.run.support import Project

BY_TIMER = {"TRIGGER_UNIT": "clock-night-tidy.timer"}


@pytest.fixture
def due() -> datetime:
    """Ten minutes ago, on the minute."""
    return (datetime.now(UTC) - timedelta(minutes=10)).replace(second=0, microsecond=0)


def schedule(due: datetime) -> str:
    trigger = read_trigger("cron", {"hour": due.hour, "minute": due.minute}, timezone="UTC")
    return f"--schedule={json.dumps(trigger.to_json())}"


def test_a_run_within_its_grace_knows_its_nominal_time_and_lag(
    shop: Project, connection: psycopg.Connection[Any], due: datetime
) -> None:
    finished = shop.run("ends.well", schedule(due), "--grace=3600", **BY_TIMER)
    assert finished.statuses == ["started", "ended"]
    assert {line["scheduled_at"] for line in finished.lines} == {f"{due:%Y-%m-%dT%H:%M:%SZ}"}
    assert all(600 <= line["lag"] < 720 for line in finished.lines)
    assert connection.execute("SELECT scheduled_at FROM task_run").fetchall() == [(due,)]


def test_a_run_that_starts_after_its_grace_is_skipped_with_the_reason(
    shop: Project, connection: psycopg.Connection[Any], due: datetime
) -> None:
    finished = shop.run("ends.with_exception", schedule(due), "--grace=60", **BY_TIMER)
    assert (finished.exit_code, finished.statuses) == (0, ["started", "skipped"])
    assert finished.end["reason"].startswith(f"due at {due:%Y-%m-%dT%H:%M:%SZ}, ")
    assert finished.end["reason"].endswith(" s ago; it may start at most 60 s late")
    assert connection.execute("SELECT status, scheduled_at FROM task_run").fetchall() == [("skipped", due)]


def test_a_run_by_hand_is_never_too_late(shop: Project, due: datetime) -> None:
    assert shop.run("ends.well", schedule(due), "--grace=60").statuses == ["started", "ended"]


@pytest.mark.parametrize("text", ["{}", '{"kind": "cron"}', '{"kind": "cron", "zone": "Europe/Pari"}'])
def test_an_invalid_schedule_is_rejected(shop: Project, text: str) -> None:
    finished = shop.run("ends.well", f"--schedule={text}", "--grace=60", **BY_TIMER)
    assert (finished.exit_code, finished.statuses) == (64, ["failed"])
    assert finished.end["reason"].startswith("--schedule: not a job's schedule: ")
