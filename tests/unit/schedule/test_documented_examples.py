"""The examples of APScheduler's user guide (3.x; cron, interval and date triggers) run when APScheduler runs them.

Past years are moved ahead; the zone is UTC, so that no shift interferes.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from scheduled_tasks.faults import FaultsError
from scheduled_tasks.schedule import occurrences, read_trigger, translate

NOW = datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)
OBJECTS = {"cron": CronTrigger, "interval": IntervalTrigger, "date": DateTrigger}

EXAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("cron", {"month": "6-8,11-12", "day": "3rd fri", "hour": "0-3"}),
    ("cron", {"day_of_week": "mon-fri", "hour": 5, "minute": 30, "end_date": "2027-05-30"}),
    ("cron", {"day": "last sun"}),
    ("cron", {"hour": "*/3"}),
    ("cron", {"year": "*", "month": 1, "day": 1, "week": "*", "day_of_week": "*", "hour": "*", "minute": 20}),
    ("cron", {"day": 1, "minute": 20}),
    ("interval", {"hours": 2, "start_date": "2026-10-10 09:30:00"}),
    ("interval", {"hours": 2, "start_date": "2026-10-10 09:30:00", "end_date": "2027-06-15 11:00:00"}),
    ("date", {"run_date": date(2027, 11, 6)}),
    ("date", {"run_date": datetime(2027, 11, 6, 16, 30, 5)}),  # noqa: DTZ001 - as the guide has it, without a zone
    ("date", {"run_date": "2027-11-06 16:30:05"}),
]


def by_apscheduler(trigger: str, fields: dict[str, Any], count: int) -> list[datetime]:
    rule = OBJECTS[trigger](**fields, timezone=UTC)
    fire_times: list[datetime] = []
    previous, now = None, NOW
    while len(fire_times) < count and (at := rule.get_next_fire_time(previous, now)) is not None:
        fire_times.append(at)
        previous, now = at, at + timedelta(microseconds=1)
    return fire_times


@pytest.mark.parametrize(("trigger", "fields"), EXAMPLES, ids=str)
def test_an_example_runs_when_apscheduler_runs_it(trigger: str, fields: dict[str, Any]) -> None:
    read = read_trigger(trigger, fields, timezone="UTC")
    assert [run.at for run in islice(occurrences(read, after=NOW), 60)] == by_apscheduler(trigger, fields, 60)
    assert translate(read, now=NOW).on_calendar


def test_the_crontab_of_the_guide_runs_when_apscheduler_runs_it() -> None:
    rule = CronTrigger.from_crontab("0 0 1-15 may-aug *", timezone=UTC)
    read = read_trigger(rule, {}, timezone="UTC")
    assert [f"{run.at:%m-%d %H:%M}" for run in islice(occurrences(read, after=NOW), 16)] == [
        *(f"05-{day:02} 00:00" for day in range(1, 16)),
        "06-01 00:00",
    ]


@pytest.mark.parametrize(
    ("trigger", "fields"), [("cron", {"hour": "*", "jitter": 120}), ("interval", {"hours": 1, "jitter": 120})]
)
def test_the_jitter_of_the_guide_becomes_a_delay_of_the_timer(trigger: str, fields: dict[str, object]) -> None:
    timing = translate(read_trigger(trigger, fields, timezone="UTC"), now=NOW)
    assert (timing.on_calendar, timing.jitter) == (("*-*-* *:00:00 UTC",), 120)


def test_a_date_trigger_without_date_is_a_fault_because_it_would_run_at_every_deploy() -> None:
    with pytest.raises(FaultsError, match="run_date"):
        read_trigger("date", {}, timezone="UTC")
