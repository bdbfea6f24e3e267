"""The text of every fault in add_job's trigger fields; no value is accepted in silence."""

from __future__ import annotations

import re

import pytest
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from scheduled_tasks.faults import FaultsError
from scheduled_tasks.schedule import read_trigger
from tests.unit.schedule.cron_triggers import PARIS, cron


def faults(trigger: object, **fields: object) -> list[str]:
    with pytest.raises(FaultsError) as caught:
        read_trigger(trigger, fields, timezone="Europe/Paris")
    return [str(fault) for fault in caught.value.faults]


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


def test_an_object_takes_no_further_fields() -> None:
    assert faults(CronTrigger(hour=1, timezone=PARIS), hour=2) == [
        "hour=2: a trigger object takes no further fields; write it in the object"
    ]
