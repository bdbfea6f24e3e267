"""A monitor outside waits for a job as long as the ledger does, and for its end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from scheduled_tasks.alert.outside.schedules import MonitorSchedule, monitor_schedule
from scheduled_tasks.instants import from_epoch
from scheduled_tasks.operate.slots import DeployedJob
from scheduled_tasks.schedule.trigger import Trigger

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NIGHTLY = {"kind": "cron", "zone": "Europe/Paris", "minutes": [15], "hours": [4]}


def schedule_of(schedule: dict[str, Any], **options: Any) -> MonitorSchedule | None:
    job = DeployedJob("app1", "shop", "sell", "t", Trigger.from_json(schedule), options, from_epoch(0))
    return monitor_schedule(job, NOW)


def test_a_cron_trigger_is_a_cron_expression_in_its_zone() -> None:
    schedule = schedule_of(NIGHTLY, timeout=1800)
    assert schedule
    assert (schedule.cron, schedule.zone) == ("15 4 * * *", "Europe/Paris")


def test_the_grace_is_what_the_ledger_waits_for_and_the_run_and_two_minutes() -> None:
    schedule = schedule_of(NIGHTLY, timeout=1800, jitter=30, grace=300)
    assert schedule
    assert schedule.grace == 30 + 300 + 60 + 120 + 1800
    assert schedule.start_margin == 30 + 300 + 60 + 120
    quick = schedule_of(NIGHTLY, timeout=1800, expected_duration=600)
    assert quick
    assert quick.grace == 60 + 120 + 600


def test_what_cron_cannot_say_is_said_by_oncalendar_lines() -> None:
    schedule = schedule_of({"kind": "cron", "zone": "UTC", "minutes": [0], "hours": [4], "days": [], "last_day": True})
    assert schedule
    assert (schedule.cron, schedule.calendar) == ("", "*-*~01 04:00:00 UTC")


def test_an_interval_that_cron_cannot_say_is_a_period() -> None:
    schedule = schedule_of({"kind": "interval", "zone": "UTC", "every": 5400})
    assert schedule
    assert (schedule.cron, schedule.calendar, schedule.period) == ("", "", 5400)
    assert schedule.sentry()["schedule"] == {"type": "interval", "value": 90, "unit": "minute"}


def test_the_longest_time_between_two_runs_is_found_beyond_a_day_of_many() -> None:
    schedule = schedule_of({"kind": "cron", "zone": "UTC", "weekdays": [0, 1, 2, 3, 4]})
    assert schedule
    assert schedule.period == 3 * 86_400


def test_what_is_due_once_or_paused_has_no_monitor() -> None:
    assert schedule_of({"kind": "date", "zone": "UTC", "run_at": "2027-01-01T00:00:00+00:00"}) is None
    assert schedule_of(NIGHTLY, paused=True) is None
    assert schedule_of({**NIGHTLY, "end": "2026-11-24T00:00:00+00:00"}) is None


def test_sentry_gets_minutes() -> None:
    schedule = schedule_of(NIGHTLY, timeout=1801)
    assert schedule
    assert schedule.sentry() == {
        "schedule": {"type": "crontab", "value": "15 4 * * *"},
        "checkin_margin": 3,
        "max_runtime": 31,
        "timezone": "Europe/Paris",
    }
