"""Schedules that a rule could judge wrongly, each with its oracle: decision 0004 by brute force, or arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.metrics.prometheus.observed import ObservedJob, observed_jobs
from tests.integration.schedule.oracle import Generated, literal, oracle

SINCE = datetime(2026, 11, 30, 8, tzinfo=UTC)
CLOCK = '''"""Schedules that a rule could judge wrongly."""

from scheduled_tasks import Clock
from scheduled_tasks.bundled import command

scheduler = Clock(timezone="Europe/Paris", owner="data", runbook="https://wiki.example.org/adversarial")
ARGS = [["/bin/true"]]


def add(name, trigger="cron", **fields):
    scheduler.add_job(command.run, trigger, ARGS, id=name, **fields)


add("in_the_gap", hour=2, minute=30)
add("in_the_fold", hour=2)
add("twice", hour="2,14", minute=30)
add("hourly", hour="*")
add("quarters", minute="*/15")
add("half_hour_zone", hour=2, minute=15, timezone="Australia/Lord_Howe")
add("new_york", hour=1, minute=30, timezone="America/New_York")
add("utc", hour=2, minute=30, timezone="UTC")
add("weekly", day_of_week="sun", hour=2, minute=30)
add("last_sunday", day="last sun", hour=2, minute=15)
add("yearly", month=3, day=28, hour=2, minute=30)
add("every_seven_hours", "interval", hours=7, start_date="2026-11-30 00:00:00+00:00")
add("every_seven_minutes", "interval", minutes=7, start_date="2026-11-30 00:00:00+00:00")
add("with_grace", hour=3, misfire_grace_time=600)
add("with_long_grace", hour=3, misfire_grace_time=86400)
add("overlapping_grace", hour="*", misfire_grace_time=7200)
add("with_jitter", hour=3, jitter=120)
add("queued", hour=3, overlap="queue", timeout="20min")
add("on_each_host", hour=4, per_host=True)
add("every_minute", minute="*")
add("paused", hour=3, next_run_time=None)
add("nobody", hour=3, notify=[])
add("third_time", hour=3, alert_after=3)
add("expected", hour=3, expected_duration="20min")
'''

Slots = Callable[[datetime, datetime], list[datetime]]


@dataclass(frozen=True)
class Case:
    """A job, after how many seconds it is overdue, and the instants at which it is due, by the oracle.

    `longest_interval` between two of them is in days.
    """

    job: str
    overdue_after: int
    slots: Slots
    longest_interval: int = 2


def cron(zone: str = "Europe/Paris", **fields: str) -> Slots:
    return by_hand(literal(fields), zone)


def by_hand(generated: Generated, zone: str = "Europe/Paris") -> Slots:
    return lambda start, end: oracle(generated, zone, start, end)


def at(hour: int, minute: int, wants: Callable[[date], bool]) -> Slots:
    return by_hand(Generated({}, frozenset({hour}), frozenset({minute}), frozenset({0}), wants))


def interval(step: timedelta) -> Slots:
    anchor = datetime(2026, 11, 30, tzinfo=UTC)

    def slots(start: datetime, end: datetime) -> list[datetime]:
        first = -((anchor - start) // step)
        return list(_every(anchor + first * step, step, end))

    return slots


def _every(first: datetime, step: timedelta, end: datetime) -> Iterator[datetime]:
    while first < end:
        yield first
        first += step


def is_last_sunday(day: date) -> bool:
    return day.weekday() == 6 and (day + timedelta(days=7)).month != day.month


RARE = (
    Case("in_the_gap", 60, cron(hour="2", minute="30")),
    Case("in_the_fold", 60, cron(hour="2")),
    Case("twice", 60, cron(hour="2,14", minute="30")),
    Case("half_hour_zone", 60, cron("Australia/Lord_Howe", hour="2", minute="15")),
    Case("new_york", 60, cron("America/New_York", hour="1", minute="30")),
    Case("utc", 60, cron("UTC", hour="2", minute="30")),
    Case("weekly", 60, cron(day_of_week="sun", hour="2", minute="30"), 10),
    Case("last_sunday", 60, at(2, 15, is_last_sunday), 40),
    Case("yearly", 60, at(2, 30, lambda day: (day.month, day.day) == (3, 28)), 380),
    Case("every_seven_hours", 60, interval(timedelta(hours=7))),
    Case("with_grace", 660, cron(hour="3")),
    Case("with_long_grace", 86460, cron(hour="3")),
    Case("with_jitter", 180, cron(hour="3")),
    Case("queued", 1260, cron(hour="3")),
    Case("on_each_host", 60, cron(hour="4")),
)
FREQUENT = (
    Case("hourly", 60, cron(hour="*")),
    Case("quarters", 60, cron(minute="*/15")),
    Case("overlapping_grace", 7260, cron(hour="*")),
    Case("every_seven_minutes", 60, interval(timedelta(minutes=7))),
    Case("every_minute", 60, cron(minute="*")),
)
EXAMPLE_RARE = (
    Case("mark_past_bookings_used", 60, cron(hour="0")),
    Case("cancel_expired_bookings", 60, cron(hour="2")),
    Case("delete_expired_offers", 60, cron(hour="1")),
    Case("synchronize_titelive_products", 60, cron(hour="1")),
    Case("synchronize_titelive_stocks", 60, cron(hour="6")),
)
EXAMPLE_FREQUENT = (Case("index_offers", 60, cron(minute="*/5")),)


def adversarial_clock(folder: Path) -> ClockSpec:
    path = folder / "adversarial.py"
    path.write_text(CLOCK)
    return read_clock(path, "adversarial", ReadingContext("", "", SINCE, lines=False))


def adversarial_jobs(folder: Path) -> list[ObservedJob]:
    return observed_jobs([adversarial_clock(folder)], SINCE)
