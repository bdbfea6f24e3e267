"""The sample data of the page: at any hour the same jobs are wrong."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from scheduled_tasks.page.demo.jobs import JOBS
from scheduled_tasks.page.demo.slots import slots

pytestmark = pytest.mark.thorough

# Three days before and after the night at which Paris sets its clocks back, at each minute of an hour by and by.
TIMES = [datetime(2026, 10, 22, tzinfo=UTC) + n * timedelta(minutes=31) for n in range(270)]


def _wrong(now: datetime) -> set[tuple[str, str, str]]:
    chance = random.Random(20)
    last = {
        (job.job, row["slot_host"]): row["status"]
        for job in JOBS
        for row in slots(job, now, chance)
        if row["status"] not in {"started", "skipped"}
    }
    return {(*of, status) for of, status in last.items() if status != "ended"}


def test_at_any_hour_the_same_two_jobs_are_wrong() -> None:
    wrong = {("export_invoices", "", "failed"), ("sum_up_the_day", "", "missed")}
    assert [(now, found) for now in TIMES if (found := _wrong(now)) != wrong] == []
