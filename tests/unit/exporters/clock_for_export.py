"""A clock with one job of every kind that an export must handle."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TEXT = '''"""The jobs to export."""

from scheduled_tasks import Clock
from scheduled_tasks.bundled import command

scheduler = Clock(timezone="Europe/Paris", memory_max="512M", cpu_quota="50%", nice=5)
ARGS = [["/bin/true", "$(date)"]]


def add(name, trigger="cron", **fields):
    scheduler.add_job(command.run, trigger, ARGS, id=name, **fields)


add("daily", hour=6)
add("in_the_gap", hour=2, minute=30)
add("often", minute="*/5", timeout="4min")
add("weekdays", day_of_week="mon-fri", hour="9-17", minute="0,30")
add("sundays", day_of_week="sun,wed", hour=3)
add("day_and_weekday", day="13", day_of_week="fri", hour=12)
add("third_friday", day="3rd fri", hour=18)
add("last_friday", day="last fri", hour=18)
add("last_day", day="last", hour=23)
add("first_or_last", day="1,last", hour=5)
add("odd_weeks", week="1-53/2", day_of_week="mon", hour=4)
add("one_year", year=2027, month=6, day=1, hour=4)
add("from_then_on", hour=4, start_date="2027-02-01 00:00:00", end_date="2027-03-01 00:00:00")
add("abroad", hour=7, timezone="America/New_York")
add("every_ten_minutes", "interval", minutes=10)
add("every_six_hours", "interval", hours=6, start_date="2026-01-01 01:15:00")
add("every_week", "interval", weeks=1)
add("every_seven_minutes", "interval", minutes=7)
add("every_twenty_seconds", second="*/20")
add("at_second_thirty", minute=5, second=30)
add("once", "date", run_date="2027-01-31 06:00:00")
add("jittered", hour=5, jitter=60)
add("paused", hour=5, next_run_time=None)
add("with_grace", hour=5, misfire_grace_time=600)
add("without_catch_up", hour=5, misfire_grace_time=1)
add("with_environment", hour=5, environment={"LANG": "C", "PRICE": "$(free)"}, allow_network=["192.0.2.7"])
add("a_name_that_is_much_longer_than_kubernetes_allows_for_a_cron_job", hour=5)
'''
NOT_EXPRESSIBLE = {"every_seven_minutes", "every_twenty_seconds", "once"}


def read(folder: Path) -> ClockSpec:
    path = folder / "to_export.py"
    path.write_text(TEXT)
    return read_clock(path, "to_export", ReadingContext("scheduled_tasks.domains", "", NOW, lines=False))
