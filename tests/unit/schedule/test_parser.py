"""The meaning of add_job's trigger fields, and the text of every fault."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import given
from hypothesis import strategies as st

from scheduled_tasks.faults import FaultsError
from scheduled_tasks.schedule import Trigger, read_trigger
from scheduled_tasks.schedule.trigger import ANCHOR, Cron, Date, Interval

PARIS = ZoneInfo("Europe/Paris")


def cron(**fields: object) -> Cron:
    trigger = read_trigger("cron", fields, timezone="Europe/Paris")
    assert isinstance(trigger, Cron)
    return trigger


def faults(trigger: object, **fields: object) -> list[str]:
    with pytest.raises(FaultsError) as caught:
        read_trigger(trigger, fields, timezone="Europe/Paris")
    return [str(fault) for fault in caught.value.faults]


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
    ("fields", "text"),
    [
        (
            {"day_of_week": "mon-fri/2"},
            (
                "day_of_week='mon-fri/2': APScheduler reads 'mon-fri/2' as 'mon-fri' and silently drops the step; "
                "write day_of_week='mon,wed,fri'"
            ),
        ),
        (
            {"month": "jan-jul/3"},
            (
                "month='jan-jul/3': APScheduler reads 'jan-jul/3' as 'jan-jul' and silently drops the step; "
                "write month='jan,apr,jul'"
            ),
        ),
        (
            {"day": "lastly"},
            "day='lastly': 'lastly' is not understood; write 1-31, last, or e.g. day='2nd fri' or day='last sun'",
        ),
        (
            {"day": "last sun/2"},
            (
                "day='last sun/2': 'last sun/2' is not understood; "
                "write 1-31, last, or e.g. day='2nd fri' or day='last sun'"
            ),
        ),
        (
            {"day": "2nd friday"},
            ("day='2nd friday': invalid weekday name \"friday\"; write day='2nd fri'"),
        ),
        (
            {"day_of_week": "fri-mon"},
            (
                "day_of_week='fri-mon': the minimum value in a range must not be higher than the maximum; "
                "a range does not wrap: write day_of_week='fri,sat,sun,mon'"
            ),
        ),
        (
            {"hour": "22-2"},
            (
                "hour='22-2': the minimum value in a range must not be higher than the maximum; "
                "a range does not wrap: write hour='22-23,0-2'"
            ),
        ),
        (
            {"day_of_week": 7},
            (
                "day_of_week=7: error validating expression '7': the last value (7) is higher than the maximum value "
                "(6); "
                "write day_of_week='sun' (0 is Monday here, 6 is Sunday)"
            ),
        ),
        (
            {"hour": 24},
            (
                "hour=24: error validating expression '24': the last value (24) is higher than the maximum value (23); "
                "write hour=0: midnight is the start of the day"
            ),
        ),
        (
            {"minute": "*/0"},
            "minute='*/0': increment must be higher than 0; write 0-59, e.g. minute='*/15'",
        ),
        (
            {"minute": "*/90"},
            (
                "minute='*/90': error validating expression '*/90': the step value (90) is higher than the total range "
                "of the expression (59); write 0-59, e.g. minute='*/15'"
            ),
        ),
        ({"second": [1]}, "second=[1]: list is neither a number nor text; write 0-59"),
        ({"second": True}, "second=True: bool is neither a number nor text; write 0-59"),
        ({"minutes": 5}, "minutes=5: not a field of the cron trigger; write minute="),
        ({"dow": "mon"}, "dow='mon': not a field of the cron trigger; write day_of_week="),
        ({"hour": 1, "mnute": 5}, "mnute=5: not a field of the cron trigger; write minute="),
        (
            {"hour": 1, "timezone": "Mars/Olympus"},
            "timezone='Mars/Olympus': unknown time zone; write for example timezone='Europe/Paris'",
        ),
        (
            {"hour": 1, "timezone": "localtime"},
            "timezone='localtime': the host's own zone, or a copy; write for example timezone='Europe/Paris'",
        ),
        (
            {"hour": 1, "start_date": "soon"},
            "start_date='soon': Invalid date string; write start_date='2027-01-31' or '2027-01-31 06:00:00'",
        ),
        (
            {"hour": 1, "start_date": "2027-02-01", "end_date": "2027-01-01"},
            "end_date='2027-01-01': is before start_date, so the job would never run; swap them",
        ),
        ({"hour": 1, "jitter": -1}, "jitter=-1: not a whole number of seconds; write e.g. jitter=30"),
        (
            {"month": 2, "day": 30},
            (
                "trigger='cron', month=2, day=30: never fires: no date matches all of its fields; "
                "write fields that have a date in common"
            ),
        ),
        (
            {"day": "5th mon", "month": 2, "year": "2027-2029"},
            (
                "trigger='cron', day='5th mon', month=2, year='2027-2029': never fires: no date matches all of its "
                "fields; write fields that have a date in common"
            ),
        ),
    ],
)
def test_a_fault_names_field_value_and_what_to_write(fields: dict[str, object], text: str) -> None:
    assert faults("cron", **fields) == [text]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"day": "2nd fri-sun"}, "'2nd fri-sun' is not understood; write day='2nd fri,2nd sat,2nd sun'"),
        ({"day": "2nd fri/2"}, "'2nd fri/2' is not understood; write 1-31, last, or e.g. day='2nd fri' or"),
        ({"day": "2nd fri#3"}, "'2nd fri#3' is not understood; write 1-31, last, or e.g. day='2nd fri' or"),
        ({"day": "1st mon tue"}, "'1st mon tue' is not understood; write day='1st mon,1st tue'"),
        ({"day": "first friday"}, "write day='1st fri'"),
        ({"day": "15th"}, "write day=15"),
        ({"day": "L"}, "write day='last'"),
        ({"day": "friday"}, "write day_of_week='fri'"),
        ({"day_of_week": "2nd fri"}, "write day='2nd fri'"),
        ({"day_of_week": "fri#2"}, "write day='2nd fri'"),
        ({"day_of_week": "friL"}, "write day='last fri'"),
        ({"day_of_week": "tues-thurs"}, "write day_of_week='tue-thu'"),
        ({"day_of_week": "weekdays"}, "write day_of_week='mon-fri'"),
        ({"month": "january"}, "write month='jan'"),
        ({"hour": "6:30"}, "'6:30' is not understood; write hour=6, minute=30"),
        ({"hour": "06:30:15"}, "write hour=6, minute=30, second=15"),
        ({"hour": "6am"}, "'6am' is not understood; write hour=6"),
        ({"hour": "12 am"}, "write hour=0"),
        ({"hour": "6:30pm"}, "write hour=18, minute=30"),
        ({"hour": "9am-5pm"}, "write hour='9-17'"),
        ({"hour": "25:00"}, "write 0-23, e.g. hour='*/6' or hour='9-17'"),
        ({"hour": "noon"}, "write hour=12"),
        ({"minute": "٣"}, "'٣' is not understood; write 0-59, e.g. minute='*/15'"),
        ({"hour": "1,٣"}, "'٣' is not understood; write 0-23, e.g. hour='*/6' or hour='9-17'"),
        ({"year": 2500}, "is after 2199, the last year of a systemd timer; write a year up to 2199 such as 2027"),
        ({"hour": 3, "timezone": "Factory"}, "stands for a zone that nobody has set; write for example timezone="),
        ({"hour": 3, "jitter": 99999999999}, "is longer than a week; write at most 604800, in seconds"),
        ({"hour": 3, "start_date": "2200-01-01"}, "is after 2199, the last year of a systemd timer; write a date up"),
        (
            {"hour": 3, "end_date": "9999-12-31"},
            "the last year of a systemd timer; write a date up to 2199, or leave it",
        ),
        ({"hour": 3, "start_date": "0001-01-01"}, "start_date='0001-01-01': "),
        ({"hour": 3, "start_date": "1969-12-31"}, "is before 1970; leave it out, or write a later date"),
    ],
)
def test_nothing_is_accepted_in_silence_and_the_fault_says_what_is_meant(
    fields: dict[str, object], problem: str
) -> None:
    with pytest.raises(FaultsError) as caught:
        cron(**fields)
    [fault] = caught.value.faults
    assert fault.field in fields
    assert fault.value == repr(fields[fault.field])
    assert problem in str(fault)


@given(
    name=st.sampled_from(["year", "month", "day", "week", "day_of_week", "hour", "minute", "second"]),
    value=st.one_of(
        st.text("0123456789*/-, frimonjul2ndlast#L٣", max_size=12),
        st.from_regex(r"\A(2nd|last) (fri|mon|x)[-/#a-z0-9 ]{0,5}\Z"),
        st.text(max_size=5),
    ),
)
def test_every_value_is_read_to_its_last_character_or_is_a_fault_with_field_and_value(name: str, value: str) -> None:
    try:
        read_trigger("cron", {name: value}, timezone="UTC")
        found = []
    except FaultsError as error:
        found = list(error.faults)
    assert all(fault.field and fault.value and fault.problem and fault.instead for fault in found)
    if found:
        return
    number, weekday, position = r"[0-9]+", "(mon|tue|wed|thu|fri|sat|sun)", "(1st|2nd|3rd|4th|5th|last)"
    month = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    item = rf"\*(/{number})?|{number}(-{number})?(/{number})?|{weekday}(-{weekday})?|{month}(-{month})?|last"
    for text in value.split(","):
        assert re.fullmatch(rf"{item}|{position} +{weekday}", text.strip(), re.IGNORECASE | re.ASCII)


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


def test_all_faults_come_at_once() -> None:
    texts = faults("cron", minutes=5, hour=25, day="lastly", timezone="Mars/X", start_date="soon", jitter="x")
    assert [text.partition("=")[0] for text in texts] == [
        "minutes", "timezone", "day", "hour", "start_date", "jitter",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("trigger", "fields", "text"),
    [
        ("interval", {"minute": 5}, "minute=5: not a field of the interval trigger; write minutes="),
        ("interval", {"minutes": "5"}, "minutes='5': not a number of at least 0; write minutes=5"),
        ("interval", {"minutes": "٣"}, "minutes='٣': not a number of at least 0; write minutes=1"),
        ("interval", {"minutes": float("nan")}, "minutes=nan: not a number of at least 0; write minutes=1"),
        (
            "interval",
            {"weeks": 1e9},
            "weeks=1000000000.0: the interval is longer than a hundred years; write a shorter one",
        ),
        (
            "interval",
            {"minutes": 0.001},
            "minutes=0.001: the interval of 0.06 s is not a whole number of seconds; write seconds=1",
        ),
        (
            "date",
            {"run_date": "2200-01-01"},
            "run_date='2200-01-01': is after 2199, the last year of a systemd timer; write a date up to 2199",
        ),
        (
            "date",
            {"run_date": "2027-0٣-01"},
            "run_date='2027-0٣-01': Invalid date string; write run_date='2027-01-31' or '2027-01-31 06:00:00'",
        ),
        (
            "interval",
            {"seconds": 0.5},
            "seconds=0.5: the interval of 0.5 s is not a whole number of seconds; write seconds=1",
        ),
        ("date", {}, "run_date=None: a date trigger needs its date; write run_date='2027-01-31 06:00:00'"),
        ("crn", {}, "trigger='crn': unknown trigger; write 'cron'"),
        ("weekly", {}, "trigger='weekly': unknown trigger; write 'cron', 'interval', 'date'"),
    ],
)
def test_faults_of_other_triggers_are_as_clear(trigger: str, fields: dict[str, object], text: str) -> None:
    assert faults(trigger, **fields) == [text]


def test_a_combining_trigger_is_a_fault() -> None:
    (text,) = faults(OrTrigger([CronTrigger(hour=1, timezone="UTC")]))
    assert "OrTrigger can't be rendered; write 'cron', 'interval', 'date'" in text


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


def test_an_object_takes_no_further_fields() -> None:
    assert faults(CronTrigger(hour=1, timezone=PARIS), hour=2) == [
        "hour=2: a trigger object takes no further fields; write it in the object"
    ]


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
