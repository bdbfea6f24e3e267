"""OnCalendar lines are few, readable, and the same throughout a year."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from scheduled_tasks.faults import FaultsError
from scheduled_tasks.schedule import Timing, occurrences, read_trigger, translate

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def of(trigger: str, fields: dict[str, object]) -> Timing:
    return translate(read_trigger(trigger, fields, timezone="Europe/Paris"), now=NOW)


def timing(**fields: object) -> Timing:
    return of("cron", fields)


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"hour": 6}, ["*-*-* 06:00:00 Europe/Paris"]),
        ({"day": "*", "hour": "6", "minute": "*/20"}, ["*-*-* 06:00..40/20:00 Europe/Paris"]),
        ({"day_of_week": "mon-fri", "hour": "9-17"}, ["Mon..Fri *-*-* 09..17:00:00 Europe/Paris"]),
        ({"day_of_week": "sun,mon", "hour": 9}, ["Mon,Sun *-*-* 09:00:00 Europe/Paris"]),
        ({"day": "last", "hour": 6}, ["*-*~01 06:00:00 Europe/Paris"]),
        ({"day": "last sun", "hour": 6}, ["Sun *-*~07/1 06:00:00 Europe/Paris"]),
        ({"day": "3rd fri", "hour": 6}, ["Fri *-*-15..21 06:00:00 Europe/Paris"]),
        ({"day": "5th fri", "hour": 6}, ["Fri *-*-29..31 06:00:00 Europe/Paris"]),
        ({"day": "15,last", "hour": 6}, ["*-*-15 06:00:00 Europe/Paris", "*-*~01 06:00:00 Europe/Paris"]),
        ({"day": "13", "day_of_week": "fri", "hour": 6}, ["Fri *-*-13 06:00:00 Europe/Paris"]),
        ({"year": "2027-2029", "month": 6}, ["2027..2029-06-01 00:00:00 Europe/Paris"]),
        ({"month": "*/3", "hour": 6}, ["*-01..10/3-* 06:00:00 Europe/Paris"]),
        ({"minute": 15}, ["*-*-* *:15:00 UTC"]),
        ({"minute": "*/5"}, ["*-*-* *:00..55/5:00 UTC"]),
        ({"second": "*/10"}, ["*-*-* *:*:00..50/10 UTC"]),
        ({"hour": "*/6", "minute": 30}, ["*-*-* 00..18/6:30:00 Europe/Paris"]),
        ({"minute": 15, "timezone": "Asia/Kolkata"}, ["*-*-* *:15:00 Asia/Kolkata"]),
        ({"minute": "*/15", "timezone": "Asia/Kolkata"}, ["*-*-* *:00..45/15:00 UTC"]),
        ({"hour": 6, "timezone": "Asia/Kolkata"}, ["*-*-* 06:00:00 Asia/Kolkata"]),
        ({"hour": 6, "timezone": "Asia/Tokyo"}, ["*-*-* 06:00:00 Asia/Tokyo"]),
        ({"hour": 6, "day": 1, "timezone": "Asia/Tokyo"}, ["*-*-01 06:00:00 Asia/Tokyo"]),
        ({"hour": 12, "day": 1, "timezone": "Asia/Tokyo"}, ["*-*-01 12:00:00 Asia/Tokyo"]),
        ({"hour": 6, "timezone": "Africa/Abidjan"}, ["*-*-* 06:00:00 Africa/Abidjan"]),
        ({"hour": 6, "timezone": "Etc/GMT+3"}, ["*-*-* 09:00:00 UTC"]),
        ({"hour": 6, "timezone": "Zulu"}, ["*-*-* 06:00:00 UTC"]),
        ({"minute": "*/30", "timezone": "Australia/Lord_Howe"}, ["*-*-* *:00,30:00 UTC"]),
    ],
)
def test_lines_without_corrections(fields: dict[str, object], lines: list[str]) -> None:
    result = timing(**fields)
    assert (list(result.on_calendar), result.elapses_every, result.exact_until) == (lines, None, None)


def test_nights_of_change_that_follow_a_rule_are_written_as_the_rule() -> None:
    result = timing(hour=2, minute=30)
    assert result.exact_until == datetime(2036, 12, 31, 23, tzinfo=UTC)
    assert result.on_calendar == (
        "*-01,02,04..09,11,12-* 02:30:00 Europe/Paris",
        "2026..2036-03,10-01..24 02:30:00 Europe/Paris",
        "Mon..Sat 2026..2036-03,10-25..31 02:30:00 Europe/Paris",
        "2037..2199-03,10-* 02:30:00 Europe/Paris",
        "Sun 2026..2036-03-25..31 01:30:00 UTC",
        "Sun 2026..2036-10-25..31 00:30:00 UTC",
    )


def test_nights_of_change_without_a_rule_are_written_one_by_one() -> None:
    result = timing(hour=2, minute=30, timezone="Africa/Casablanca")  # its shifts follow the lunar calendar
    assert "2028-01-23 01:30:00 UTC" in result.on_calendar
    assert not [line for line in result.on_calendar if line.startswith("Sun")]


@pytest.mark.parametrize("zone", ["Europe/Paris", "Europe/Dublin", "Australia/Lord_Howe"])
def test_no_line_has_an_open_step(zone: str) -> None:
    result = timing(hour="*/2", minute="*/7", second="*/9", day="*/3", month="*/2", timezone=zone)
    assert [line for line in result.on_calendar if re.search(r"[ ,:-]\d+/\d", line)] == []


def test_an_hour_affected_by_a_shift_has_its_own_lines() -> None:
    result = timing(hour="1,3", timezone="Europe/Dublin")
    assert result.on_calendar[0] == "*-01,02,04..09,11,12-* 01:00:00 Europe/Dublin"
    assert "*-*-* 03:00:00 Europe/Dublin" in result.on_calendar


def test_the_same_year_gives_the_same_lines() -> None:
    trigger = read_trigger("cron", {"hour": 2, "minute": 30, "week": "*/4"}, timezone="Europe/Paris")
    assert translate(trigger, now=NOW) == translate(trigger, now=NOW + timedelta(days=30))


def test_a_shorter_horizon_has_lines_only_for_its_own_nights() -> None:
    trigger = read_trigger("cron", {"hour": 2}, timezone="Europe/Paris")
    result = translate(trigger, now=NOW, horizon=timedelta(days=366))
    assert result.exact_until == datetime(2027, 12, 31, 23, tzinfo=UTC)
    assert [line for line in result.on_calendar if line.endswith("UTC")] == [
        "2026-03-29 01:00:00 UTC",
        "2027-03-28 01:00:00 UTC",
        "2026-10-25 00:00:00 UTC",
        "2027-10-31 00:00:00 UTC",
    ]


@pytest.mark.parametrize(
    ("trigger", "fields", "lines"),
    [
        ("interval", {"minutes": 5}, ["*-*-* *:00..55/5:00 UTC"]),
        ("interval", {"minutes": 90}, ["*-*-* 00..21/3:00:00 UTC", "*-*-* 01..22/3:30:00 UTC"]),
        ("interval", {"weeks": 1}, ["Mon *-*-* 00:00:00 UTC"]),
        ("interval", {"hours": 6, "start_date": "2026-01-01 05:07:00"}, ["*-*-* 04..22/6:07:00 UTC"]),
        ("date", {"run_date": "2027-01-31 06:00:00"}, ["2027-01-31 05:00:00 UTC"]),
        (
            "cron",
            {"hour": 6, "start_date": "2027-02-03 04:05:06", "end_date": "2028-05-01"},
            [
                "2027-02-04..31 06:00:00 Europe/Paris",
                "2027-03..12-* 06:00:00 Europe/Paris",
                "2028-01..04-* 06:00:00 Europe/Paris",
                "2027-02-03 05:00:00 UTC",
            ],
        ),
    ],
)
def test_intervals_dates_and_windows(trigger: str, fields: dict[str, object], lines: list[str]) -> None:
    assert sorted(of(trigger, fields).on_calendar) == sorted(lines)


def test_the_timer_of_an_interval_that_does_not_divide_a_day_elapses_more_often() -> None:
    result = of("interval", {"minutes": 7})
    assert (result.on_calendar, result.elapses_every) == (("*-*-* *:*:00 UTC",), 60)


def test_an_interval_whose_slots_a_timer_could_hit_only_every_second_is_a_fault() -> None:
    with pytest.raises(FaultsError, match=r"neither divides a day nor is whole minutes.*write 75 seconds"):
        of("interval", {"seconds": 77})


def test_a_jitter_beyond_the_next_elapse_is_a_fault() -> None:
    with pytest.raises(FaultsError, match=r"jitter=60: .*write a jitter below 60, or 432 seconds"):
        of("interval", {"minutes": 7, "jitter": 60})


@pytest.mark.parametrize(
    ("trigger", "fields", "ended"),
    [
        ("cron", {"hour": 6, "end_date": "2026-11-23"}, "before 2026-11-22 23:00:00 UTC"),
        ("cron", {"year": 2020}, "no date is left"),
        ("interval", {"hours": 6, "end_date": "2026-01-01"}, "before 2025-12-31 23:00:00 UTC"),
        ("date", {"run_date": "2026-01-31"}, "before 2026-01-30 23:00:00 UTC"),
    ],
)
def test_a_trigger_that_never_fires_again_is_a_fault(trigger: str, fields: dict[str, object], ended: str) -> None:
    with pytest.raises(FaultsError, match=rf"never fires again: .*{ended}; remove the job, or give a later date"):
        of(trigger, fields)


def test_a_first_run_after_the_horizon_is_a_fault() -> None:
    with pytest.raises(FaultsError, match="2050-01-17 00:00:00 Europe/Paris': the first run is after the horizon"):
        timing(year=2050, week=3)
    with pytest.raises(FaultsError, match="2045-03-26 03:30:00 Europe/Paris': the first run is after the horizon"):
        timing(hour=2, minute=30, start_date="2045-03-26")
    assert timing(hour=6, start_date="2045-03-26").exact_until is None


def test_iso_weeks_are_written_as_dates() -> None:
    assert timing(week=53, day_of_week="thu", hour=6).on_calendar == (
        "2026-12-31 05:00:00 UTC",
        "2032-12-30 05:00:00 UTC",
    )
    # Half past midnight in Kolkata is the day before in UTC.
    assert timing(week=53, day_of_week="thu", minute=30, hour=0, timezone="Asia/Kolkata").on_calendar == (
        "2026-12-30 19:00:00 UTC",
        "2032-12-29 19:00:00 UTC",
    )


@pytest.mark.parametrize(
    ("now", "fields", "at", "line"),
    [
        # In Los Angeles the old year goes on, in Auckland the new one has begun.
        ("2027-01-01T01:00Z", {"week": 53, "hour": 20, "timezone": "America/Los_Angeles"}, "2027-01-01T04:00:00Z",
         "2027-01-01..04 04:00:00 UTC"),
        ("2027-01-01T01:00Z", {"hour": 20, "end_date": "2027-06-01", "timezone": "America/Los_Angeles"},
         "2027-01-01T04:00:00Z", "2026-*-* 20:00:00 America/Los_Angeles"),
        ("2036-12-31T10:00Z", {"week": "1", "hour": 11, "timezone": "Pacific/Auckland"}, "2036-12-31T22:00:00Z",
         "2036,2042-12-28..31 22:00:00 UTC"),
    ],
)  # fmt: skip
def test_a_run_at_the_edge_of_a_year_has_a_line(now: str, fields: dict[str, object], at: str, line: str) -> None:
    trigger = read_trigger("cron", fields, timezone="UTC")
    start = datetime.fromisoformat(now)
    assert next(occurrences(trigger, after=start)).at == datetime.fromisoformat(at)
    assert line in translate(trigger, now=start).on_calendar


def test_jitter_becomes_a_delay_with_a_warning() -> None:
    result = timing(hour=6, jitter=30)
    assert result.jitter == 30
    assert result.warnings == (
        "jitter=30: systemd delays a run by 0 to 30 s; APScheduler moves it by up to that much in either direction",
    )
