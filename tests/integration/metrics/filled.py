"""A ledger in which each metric has a value."""

from __future__ import annotations

from datetime import UTC, datetime

from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.watch.slot_counts import count_slots
from tests.integration.operate.shop import HOURLY, Database, hours_before, ran

COUNT = {"owner": "data", "alert_after": 3, "expected_duration": 90.0, "grace": 300, "jitter": 30, "flag": "COUNT",
         "runbook": "https://wiki/count"}  # fmt: skip


def fill(connection: Database, hour: datetime) -> None:
    """Deploy four jobs on app1, two of them bad, and record their slots up to an hour (the last full one)."""
    now = datetime.now(UTC)
    jobs = [
        {"clock": clock, "job": job, "task": f"sales.{job}", "schedule": HOURLY, "options": {"timeout": 600, **options}}
        for clock, job, options in (
            ("shop", "clean", {"per_host": True, "notify": []}),
            ("shop", "count", COUNT),
            ("shop", "sell", {}),
            ("till", "close", {"paused": True}),
        )
    ]
    deployments.report(connection, "app1", deployments.JobsReport(jobs, "two", now, now))
    for number in (4, 3):
        ran(connection, "count", hours_before(hour, number), "ended", duration=5.0)
    ran(connection, "count", hours_before(hour, 2), "failed", duration=0.2)
    ran(connection, "count", hours_before(hour, 1), "missed")
    ran(connection, "count", hour, "started", ended_at=None)
    ran(connection, "sell", hour, "ended", duration=7200.0)
    ran(connection, "clean", hour, "lost", slot_host="app1")
    connection.execute(
        "INSERT INTO feature (name, is_active, updated_by) VALUES ('COUNT', true, 'x'), ('SELL', false, 'x')"
    )
    count_slots(connection)
