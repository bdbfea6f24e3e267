"""The warnings about one trigger: every run that a night swallows or moves, drift, months left out, far runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduled_tasks.schedule import occurrences, read_trigger
from scheduled_tasks.schedule.lint import schedule_warnings
from scheduled_tasks.schedule.trigger_lint import stands_for

NOW = datetime(2026, 11, 23, tzinfo=UTC)
PARIS = "Europe/Paris"


def warnings(kind: str, fields: dict[str, object], zone: str = PARIS) -> list[tuple[str, str]]:
    """Kind and sentence of each warning about a job with one trigger, without those about its reading."""
    trigger = read_trigger(kind, fields, timezone=zone)
    return [
        (warning.kind, f"{warning.message}; {warning.instead}" if warning.instead else warning.message)
        for warning in schedule_warnings([("c/j", trigger, None)], now=NOW)
        if warning.kind != "reading"
    ]


def test_a_run_that_spring_swallows_is_a_warning() -> None:
    assert warnings("cron", {"hour": "2,3", "minute": 30})[0] == (
        "gap",
        "02:30 does not exist on Sun 2027-03-28 in Europe/Paris: it is one run with 03:30",
    )
    assert warnings("cron", {"hour": "2-5", "minute": "*/20"})[0] == (
        "gap",
        "02:00 to 02:40 do not exist on Sun 2027-03-28 in Europe/Paris: they are one run each with 03:00 to 03:40",
    )


def test_all_moved_runs_of_a_night_are_named() -> None:
    assert warnings("cron", {"hour": 2, "minute": "10,50"})[0] == (
        "gap",
        "02:10 to 02:50 do not exist on Sun 2027-03-28 in Europe/Paris: the runs are at 03:10 to 03:50",
    )


@given(
    hours=st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True),
    minutes=st.lists(st.sampled_from([0, 10, 15, 30, 59]), min_size=1, max_size=4, unique=True),
    night=st.sampled_from([("Europe/Paris", 2027, 3, 28), ("Australia/Lord_Howe", 2027, 10, 3)]),
)
@settings(deadline=None)
def test_each_nominal_time_of_the_night_has_a_run_or_is_named_at_one(
    hours: list[int], minutes: list[int], night: tuple[str, int, int, int]
) -> None:
    zone, year, month, day = night
    fields = {"hour": ",".join(map(str, hours)), "minute": ",".join(map(str, minutes))}
    trigger = read_trigger("cron", fields, timezone=zone)
    noon = datetime(year, month, day, 12, tzinfo=UTC)
    runs = [run for run in occurrences(trigger, after=noon - timedelta(days=2), until=noon) if run.nominal.day == day]
    named = [run.nominal.replace(tzinfo=None, fold=0) for run in runs]
    named += [nominal.replace(tzinfo=None) for run in runs for nominal in stands_for(trigger, run)]
    repeating = {hour for hour in hours if {(hour - 1) % 24, (hour + 1) % 24} <= set(hours)}
    wanted = [datetime(year, month, day, hour, minute) for hour in hours for minute in minutes]  # noqa: DTZ001
    missing = [wall for wall in wanted if wall not in named]
    assert all(wall.hour in repeating for wall in missing)
    assert len(set(named)) == len(named)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"days": 1, "start_date": "2026-12-01 02:30:00"},
            (
                "it counts real time: on Sun 2027-03-28 it runs at 03:30, not at 02:30, by the clock of Europe/Paris; "
                "write 'cron' with hour=2, minute=30 to keep the time of day"
            ),
        ),
        (
            {"weeks": 1, "start_date": "2026-12-02 02:30:00"},
            (
                "it counts real time: on Wed 2027-03-31 it runs at 03:30, not at 02:30, by the clock of Europe/Paris; "
                "write 'cron' with day_of_week='wed', hour=2, minute=30 to keep the time of day"
            ),
        ),
        (
            {"days": 2, "start_date": "2026-07-01 02:30:00"},
            (
                "it counts real time: on Tue 2026-11-24 it runs at 01:30, not at 02:30, by the clock of Europe/Paris; "
                "write a 'cron' trigger to keep the time of day"
            ),
        ),
    ],
)
def test_an_interval_of_days_whose_time_of_day_drifts_is_a_warning(fields: dict[str, object], message: str) -> None:
    assert warnings("interval", fields) == [("drift", message)]


@pytest.mark.parametrize(("fields", "zone"), [({"days": 1}, "UTC"), ({"days": 1}, "Asia/Tokyo"), ({"hours": 6}, PARIS)])
def test_an_interval_that_keeps_its_time_of_day_or_has_none_is_no_warning(fields: dict[str, object], zone: str) -> None:
    assert warnings("interval", fields, zone) == []


def test_a_date_in_a_gap_or_a_fold_is_a_warning_of_lint() -> None:
    for run_date, message in (
        ("2027-03-28 02:30:00", "run_date: 02:30 does not exist on Sun 2027-03-28 in Europe/Paris: 03:30 is taken"),
        (
            "2027-10-31 02:30:00",
            (
                "run_date: 02:30 occurs twice on Sun 2027-10-31 in Europe/Paris: the first time is taken, "
                "2027-10-31T00:30:00Z; write '2027-10-31T01:30:00Z' for the second"
            ),
        ),
    ):
        trigger = read_trigger("date", {"run_date": run_date}, timezone=PARIS)
        [warning] = schedule_warnings([("c/j", trigger, None)], now=NOW)
        assert (warning.kind, warning.message) == ("reading", message)


@pytest.mark.parametrize(
    ("minute", "gap", "fold"),
    [
        (15, "the run at 03:15 is 90 minutes after the one before, not 60",
         "the run at 02:15 is 90 minutes after the one before, not 60"),
        (45, "the run at 02:45 is 30 minutes after the one before, not 60",
         "the run at 01:45 is 30 minutes after the one before, not 60"),
    ],
)  # fmt: skip
def test_an_hourly_job_whose_distance_a_shift_of_half_an_hour_changes_is_a_warning(
    minute: int, gap: str, fold: str
) -> None:
    moves = "the clock of Australia/Lord_Howe moves by 30 minutes on"
    assert warnings("cron", {"minute": minute}, "Australia/Lord_Howe") == [
        ("fold", f"{moves} Sun 2027-04-04: {fold}"),
        ("gap", f"{moves} Sun 2027-10-03: {gap}"),
    ]


@pytest.mark.parametrize("minute", ["*", "*/15", "*/30", "0,30"])
def test_a_job_that_a_shift_of_half_an_hour_leaves_even_is_no_warning(minute: str) -> None:
    assert warnings("cron", {"minute": minute}, "Australia/Lord_Howe") == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"day": 31},
            (
                "it does not run in February, April, June, September and November: there is no day 31; "
                "write day='last' for the last day of each month"
            ),
        ),
        ({"day": "30"}, "it does not run in February: there is no day 30; write day='last' for the last day of each"),
        ({"day": "29,30"}, "it does not run in February of most years: there is no day 29; write day='last'"),
        ({"day": 31, "month": "jun-aug"}, "it does not run in June: there is no day 31; write day='last'"),
        ({"day": "5th fri"}, "most months have no fifth Friday: it does not run in them; write day='last fri' for"),
        ({"week": 53}, "week=53 leaves out most years, which have 52 weeks"),
    ],
)
def test_months_that_have_no_such_day_are_named(fields: dict[str, object], message: str) -> None:
    [(kind, text)] = warnings("cron", {**fields, "hour": 12})
    assert kind == "months"
    assert text.startswith(message)


@pytest.mark.parametrize(
    "day", ["*", "1,31", "last", "31,last", "28", "4th fri", "5th fri,1st fri", "5th fri,2", "*/2"]
)
def test_a_job_that_runs_in_every_month_leaves_none_out(day: str) -> None:
    assert warnings("cron", {"day": day, "hour": 12}) == []


def test_a_next_run_that_is_years_away_is_a_warning() -> None:
    assert warnings("cron", {"year": 2030, "month": 6, "hour": 12}) == [
        ("far", "the next run is in 3.5 years, at 2030-06-01 12:00:00 Europe/Paris")
    ]
    assert warnings("date", {"run_date": "2150-01-01"})[0][0] == "far"
    assert warnings("cron", {"month": 11, "day": 22, "hour": 12}) == []


def test_a_job_that_never_runs_again_is_a_warning() -> None:
    assert warnings("date", {"run_date": "2020-01-01"}) == [
        ("over", "it never runs again; remove the job, or give a later date")
    ]


def test_a_jitter_longer_than_the_distance_between_runs_is_a_warning() -> None:
    assert warnings("cron", {"minute": "*/5", "jitter": 300}) == [
        ("jitter", "jitter=300 can delay a run past the next one, which is due 300 s later; write a jitter below 300")
    ]
    assert warnings("cron", {"minute": "*/5", "jitter": 299}) == []


def test_a_timer_with_many_lines_in_its_zone_is_a_warning() -> None:
    """The clocks of Casablanca change with Ramadan, by no rule: each such night is left out by lines of its own."""
    [(_, message)] = [found for found in warnings("cron", {"hour": 2}, "Africa/Casablanca") if found[0] == "cost"]
    assert message.startswith("its timer has ")
    assert "lines in Africa/Casablanca, and each slows down every daemon-reload of the host; an hour that" in message
    assert not [found for found in warnings("cron", {"hour": 2}) if found[0] == "cost"]
