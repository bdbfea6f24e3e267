"""The meaning of add_job's trigger fields, and the warnings about them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from scheduled_tasks.schedule import Trigger, read_trigger
from scheduled_tasks.schedule.trigger import ANCHOR, Cron, Date, Interval
from tests.unit.schedule.cron_triggers import PARIS, cron


@pytest.mark.parametrize(
    ("fields", "attribute", "value"),
    [
        ({"hour": 6}, "hours", (6,)),
        ({"hour": "6"}, "hours", (6,)),
        ({"hour": "*/6"}, "hours", (0, 6, 12, 18)),
        ({"hour": "9-17/4"}, "hours", (9, 13, 17)),
        ({"hour": "20/2"}, "hours", (20, 22)),
        ({"hour": " 1 , 3-4 , 3 "}, "hours", (1, 3, 4)),
        ({"day": "*/10"}, "days", (1, 11, 21, 31)),
        ({"day": "last"}, "last_day", True),
        ({"day": "last sun"}, "positions", ((-1, 6),)),
        ({"day": "2nd fri,1st MON"}, "positions", ((1, 0), (2, 4))),
        ({"day": "last,*"}, "last_day", False),
        ({"month": "jan-mar,dec"}, "months", (1, 2, 3, 12)),
        ({"month": "*/5"}, "months", (1, 6, 11)),
        ({"day_of_week": "mon-fri"}, "weekdays", (0, 1, 2, 3, 4)),
        ({"day_of_week": "SUN"}, "weekdays", (6,)),
        ({"day_of_week": 0}, "weekdays", (0,)),
        ({"week": "*"}, "weeks", None),
        ({"week": "1,53"}, "weeks", (1, 53)),
        ({"year": "2027-2029"}, "years", (2027, 2028, 2029)),
        ({"year": "*"}, "years", None),
        ({"hour": 5, "jitter": 30}, "jitter", 30),
        ({"hour": 5, "jitter": 0}, "jitter", None),
        ({"hour": 5, "minute": None}, "minutes", (0,)),
    ],
)
def test_a_field_is_parsed_into_its_numbers(fields: dict[str, object], attribute: str, value: object) -> None:
    assert getattr(cron(**fields), attribute) == value


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"month": 6}, ((6,), (1,), (0,), (0,), (0,))),
        ({"week": 3}, (tuple(range(1, 13)), tuple(range(1, 32)), (0,), (0,), (0,))),
        ({"day_of_week": "sun"}, (tuple(range(1, 13)), tuple(range(1, 32)), (0,), (0,), (0,))),
        ({"minute": 7}, (tuple(range(1, 13)), tuple(range(1, 32)), tuple(range(24)), (7,), (0,))),
        ({"year": 2030}, ((1,), (1,), (0,), (0,), (0,))),
    ],
)
def test_fields_below_the_lowest_given_are_at_their_minimum_and_above_it_any(
    fields: dict[str, object], expected: tuple[tuple[int, ...], ...]
) -> None:
    trigger = cron(**fields)
    assert (trigger.months, trigger.days, trigger.hours, trigger.minutes, trigger.seconds) == expected


@pytest.mark.parametrize(
    ("trigger", "fields", "warning"),
    [
        ("date", {"run_date": "2027-03-28 02:30:00"},
         "run_date: 02:30 does not exist on Sun 2027-03-28 in Europe/Paris: 03:30 is taken"),
        ("date", {"run_date": datetime(2027, 3, 28, 2, 30, tzinfo=PARIS)},
         "run_date: 02:30 does not exist on Sun 2027-03-28 in Europe/Paris: 03:30 is taken"),
        ("date", {"run_date": "2027-10-31 02:30:00"},
         ("run_date: 02:30 occurs twice on Sun 2027-10-31 in Europe/Paris: the first time is taken, "
         "2027-10-31T00:30:00Z; write '2027-10-31T01:30:00Z' for the second")),
        ("cron", {"hour": 1, "start_date": "2027-03-28 02:30:00"},
         "start_date: 02:30 does not exist on Sun 2027-03-28 in Europe/Paris: 03:30 is taken"),
        ("cron", {"hour": 1, "end_date": date(2027, 4, 25), "timezone": "Africa/Cairo"}, None),
        ("cron", {"hour": 1, "end_date": date(2027, 4, 30), "timezone": "Africa/Cairo"},
         "end_date: 00:00 does not exist on Fri 2027-04-30 in Africa/Cairo: 01:00 is taken"),
        ("date", {"run_date": "2027-10-31T01:30:00Z"}, None),
        ("date", {"run_date": datetime(2027, 10, 31, 2, 30, tzinfo=PARIS, fold=1)}, None),
        ("date", {"run_date": "2027-10-31 04:30:00"}, None),
    ],
)  # fmt: skip
def test_a_date_that_the_clock_skips_or_shows_twice_is_a_warning(
    trigger: str, fields: dict[str, object], warning: str | None
) -> None:
    assert read_trigger(trigger, fields, timezone="Europe/Paris").warnings == ((warning,) if warning else ())


def test_an_interval_of_fractions_is_taken_if_it_is_whole_seconds() -> None:
    start = "2027-01-01"
    for units, every in (({"minutes": 1.5}, 90), ({"hours": 1.1}, 3960), ({"weeks": 1, "seconds": 0}, 604800)):
        trigger = read_trigger("interval", {**units, "start_date": start}, timezone="UTC")
        assert isinstance(trigger, Interval)
        assert trigger.every == every


def test_the_zone_is_the_given_default_and_never_the_hosts() -> None:
    assert cron(hour=1).zone == "Europe/Paris"
    assert cron(hour=1, timezone="Asia/Tokyo").zone == "Asia/Tokyo"
    assert cron(hour=1, timezone=PARIS).zone == "Europe/Paris"
    assert cron(hour=1, timezone=UTC).zone == "UTC"
    assert cron(hour=1, timezone=timezone(timedelta(hours=3))).zone == "Etc/GMT-3"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2027-03-01", datetime(2027, 2, 28, 23, tzinfo=UTC)),
        ("2027-07-01 06:30:00", datetime(2027, 7, 1, 4, 30, tzinfo=UTC)),
        ("2027-07-01T06:30:00Z", datetime(2027, 7, 1, 6, 30, tzinfo=UTC)),
        (date(2027, 3, 1), datetime(2027, 2, 28, 23, tzinfo=UTC)),
        (datetime(2027, 3, 1, 5), datetime(2027, 3, 1, 4, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2027, 3, 1, 5, tzinfo=UTC), datetime(2027, 3, 1, 5, tzinfo=UTC)),
        (datetime(2027, 3, 1, 5, 0, 0, 1, tzinfo=UTC), datetime(2027, 3, 1, 5, 0, 1, tzinfo=UTC)),
    ],
)
def test_a_start_date_is_an_instant_in_the_triggers_zone(value: object, expected: datetime) -> None:
    assert cron(hour=1, start_date=value).start == expected


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({}, "no cron field is given, so it runs every second; write e.g. minute='*/5'"),
        ({"minute": None}, "no cron field is given, so it runs every second; write e.g. minute='*/5'"),
        (
            {"hour": 6, "second": "*"},
            "second='*' runs it every second; leave second out to run at second 0",
        ),
        (
            {"hour": 6, "minute": "*"},
            "it runs every minute of its hours; write minute=0 to run once in each",
        ),
        (
            {"hour": 6, "second": 5},
            "it runs every minute of its hours; write minute=0 to run once in each",
        ),
    ],
)
def test_a_trigger_that_fires_more_often_than_intended_is_a_warning(fields: dict[str, object], warning: str) -> None:
    assert cron(**fields).warnings == (warning,)


@pytest.mark.parametrize("fields", [{"minute": "*"}, {"hour": "8-18", "minute": "*"}, {"minute": "*/5"}, {"hour": 6}])
def test_a_trigger_intended_to_fire_often_is_no_warning(fields: dict[str, object]) -> None:
    assert cron(**fields).warnings == ()


def test_a_cron_object_means_what_its_keywords_mean() -> None:
    fields: dict[str, Any] = {"month": "jan-mar", "day": "last sun,15", "hour": "*/5", "minute": 7, "jitter": 9}
    made = CronTrigger(**fields, timezone="Europe/Paris", start_date="2027-01-01", end_date="2028-01-01")
    assert read_trigger(made, {}, timezone="Europe/Paris") == cron(
        **fields, start_date="2027-01-01", end_date="2028-01-01"
    )


def test_from_crontab_keeps_apschedulers_weekdays_with_a_warning() -> None:
    trigger = read_trigger(CronTrigger.from_crontab("11 7 * * 4", timezone=PARIS), {}, timezone="Europe/Paris")
    assert isinstance(trigger, Cron)
    assert (trigger.weekdays, trigger.hours, trigger.minutes) == ((4,), (7,), (11,))
    assert trigger.warnings == (
        (
            "day_of_week='4' counts from Monday as 0, even in from_crontab, while a crontab counts from Sunday; "
            "write names (mon, tue, …)"
        ),
    )


def test_an_object_in_another_zone_is_a_warning_because_that_can_be_the_hosts() -> None:
    trigger = read_trigger(CronTrigger(hour=1, timezone="Asia/Tokyo"), {}, timezone="Europe/Paris")
    assert trigger.zone == "Asia/Tokyo"
    assert trigger.warnings == (
        (
            "the CronTrigger object is in Asia/Tokyo, not in Europe/Paris: that is its own timezone, or the "
            "host's if it was made without one; write timezone='Europe/Paris' in it if that is intended"
        ),
    )


def test_an_interval_is_parsed_into_seconds() -> None:
    trigger = read_trigger("interval", {"weeks": 1, "days": 1, "hours": 1, "minutes": 1, "seconds": 1}, timezone="UTC")
    assert isinstance(trigger, Interval)
    assert (trigger.every, trigger.anchor) == (694861, ANCHOR)


def test_an_interval_object_without_start_date_counts_from_the_anchor() -> None:
    unset = read_trigger(IntervalTrigger(minutes=5, timezone="UTC"), {}, timezone="UTC")
    start = datetime(2027, 1, 1, tzinfo=UTC)
    given = read_trigger(IntervalTrigger(minutes=5, timezone="UTC", start_date=start), {}, timezone="UTC")
    assert (unset.start, given.start) == (None, start)


def test_a_date_is_one_instant() -> None:
    expected = Date(zone="Europe/Paris", run_at=datetime(2027, 1, 31, 5, tzinfo=UTC))
    assert read_trigger("date", {"run_date": "2027-01-31 06:00:00"}, timezone="Europe/Paris") == expected
    made = DateTrigger("2027-01-31 06:00:00", timezone="Europe/Paris")
    assert read_trigger(made, {}, timezone="Europe/Paris") == expected


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("cron", {"day": "last sun,2nd fri", "week": "9-20", "hour": "*/5", "start_date": "2027-01-01", "jitter": 3}),
        ("interval", {"minutes": 7, "end_date": "2029-01-01"}),
        ("date", {"run_date": "2027-01-31 06:00:00"}),
    ],
)
def test_a_trigger_survives_json(name: str, fields: dict[str, object]) -> None:
    trigger = read_trigger(name, fields, timezone="Europe/Paris")
    assert Trigger.from_json(json.loads(json.dumps(trigger.to_json()))) == trigger
    assert len({trigger, Trigger.from_json(trigger.to_json())}) == 1
