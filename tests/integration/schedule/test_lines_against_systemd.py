"""The rendered lines, evaluated by systemd, fire at exactly the oracle's instants; so does the evaluator.

Each example is computed once and given to both versions of systemd.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduled_tasks.faults import FaultsError
from scheduled_tasks.schedule import Timing, Trigger, occurrences, read_trigger, translate
from scheduled_tasks.schedule.crontab import crontab_time

from .oracle import EXAMPLES, NOW, ZONES, Generated, Night, days_of_change, literal, nights, oracle, triggers
from .systemd import Systemd

pytestmark = pytest.mark.thorough

MAX_ITERATIONS = 80
Systemds = tuple[Systemd, ...]
Days = tuple[datetime, datetime]  # from the first to the second, exclusive


def assert_agreement(
    systemds: Systemds, trigger: Trigger, timing: Timing, expected: list[datetime], days: Days
) -> None:
    """Assert that lines and evaluator both yield `expected` for these days, as far as the lines are exact."""
    start, end = days
    if timing.exact_until:
        end = min(end, timing.exact_until)
        expected = [at for at in expected if at < end]
    tick = timedelta(seconds=1)
    assert [run.at for run in occurrences(trigger, after=start - tick, until=end - tick)] == expected
    if not timing.elapses_every:
        count = min(len(expected) + 1, MAX_ITERATIONS)
        for systemd in systemds:
            fired, known = systemd.fires(timing.on_calendar, start, end, count)
            assert fired == [at for at in expected if at < known], systemd


def days_around(zone: str, which: int, before: int) -> Days:
    """About two days around a shift of the zone, or around any day if it has no shifts."""
    days = days_of_change(zone)
    start = days[which % len(days)] if days else datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=which * 37)
    return start - timedelta(minutes=before), start + timedelta(hours=40)


# Counterexamples found earlier: fields, zone, the instant from which systemd evaluates (UTC), what was wrong.
COUNTEREXAMPLES = (
    ({"hour": "*/7"}, "Europe/Dublin", "2026-10-24T10:00", "an open step: Resource deadlock avoided"),
    ({"hour": "*/5"}, "Europe/Paris", "2027-10-30T10:00", "an open step: the next day's midnight was lost"),
    (
        {"hour": "0,3", "minute": "*/10"},
        "Pacific/Chatham",
        "2026-09-25T10:00",
        "03:50 after a gap until 03:45 was lost",
    ),
    ({"hour": "1,3"}, "Europe/Dublin", "2027-03-27T10:00", "01:00 in the gap made systemd forget 03:00 of that day"),
    ({"hour": "2", "minute": "30"}, "Europe/Paris", "2027-03-27T10:00", "the zoned line skips a time in the gap"),
    ({"hour": "2", "minute": "30"}, "Europe/Paris", "2026-10-25T00:40", "the zoned line fires again in a fold"),
    (
        {"day_of_week": "sun", "minute": "15"},
        "Europe/Paris",
        "2026-10-24T10:00",
        "the zoned line loses the repeated hour",
    ),
    (
        {"hour": "2,3", "minute": "45"},
        "Pacific/Chatham",
        "2027-09-25T13:00",
        "a time in the gap: Resource deadlock avoided",
    ),
    (
        {"day": "last sun", "hour": "2"},
        "Europe/Paris",
        "2027-03-27T10:00",
        "only times in gaps: Resource deadlock avoided",
    ),
    ({"minute": "15"}, "Australia/Lord_Howe", "2026-10-03T10:00", "a skipped repetition is not substituted"),
    ({"week": "53", "hour": "20"}, "America/Los_Angeles", "2027-01-01T01:00", "lines began with the new year in UTC"),
    ({"week": "*/3", "hour": "11"}, "Pacific/Auckland", "2036-12-31T10:00", "lines ended with the old year there"),
)


@pytest.mark.parametrize(("fields", "zone", "since", "wrong"), COUNTEREXAMPLES)
def test_earlier_counterexamples_stay_fixed(
    systemds: Systemds, fields: dict[str, str], zone: str, since: str, wrong: str
) -> None:
    generated = literal(fields)
    start = datetime.fromisoformat(since).replace(tzinfo=UTC)
    end = start + timedelta(hours=50)
    trigger = read_trigger("cron", fields, timezone=zone)
    expected = oracle(generated, zone, start, end)
    assert_agreement(systemds, trigger, translate(trigger, now=start), expected, (start, end))


@settings(settings.get_profile("schedule"), max_examples=EXAMPLES or 400)
@given(night=nights(), before=st.integers(-150, 150))
def test_lines_follow_the_rule_in_the_night_of_change(systemds: Systemds, night: Night, before: int) -> None:
    """Hours next to the shift, with systemd evaluating anywhere around it, even in the middle of a repeated hour."""
    start = night.at - timedelta(minutes=before)
    end = night.at + timedelta(hours=26)
    expected = oracle(night.generated, night.zone, start, end)
    try:
        trigger = read_trigger("cron", night.generated.fields, timezone=night.zone)
    except FaultsError:
        assert not expected
        return
    assert_agreement(systemds, trigger, translate(trigger, now=NOW), expected, (start, end))


@settings(settings.get_profile("schedule"), max_examples=EXAMPLES or 250)
@given(generated=triggers(), zone=st.sampled_from(ZONES), which=st.integers(0, 30), before=st.integers(-1440, 900))
def test_lines_follow_the_rule_around_a_shift(
    systemds: Systemds, generated: Generated, zone: str, which: int, before: int
) -> None:
    """Even if systemd evaluates in the middle of a repeated hour, as after a reload."""
    start, end = days_around(zone, which, before)
    expected = oracle(generated, zone, start, end)
    try:
        trigger = read_trigger("cron", generated.fields, timezone=zone)
    except FaultsError:  # it never fires, or never again
        assert not expected
        return
    assert_agreement(systemds, trigger, translate(trigger, now=NOW), expected, (start, end))


@settings(settings.get_profile("schedule"), max_examples=EXAMPLES or 60)
@given(
    generated=triggers(),
    zone=st.sampled_from((*ZONES, "Pacific/Auckland", "America/Los_Angeles", "Pacific/Kiritimati")),
    year=st.sampled_from((2027, 2036, 2037)),
    before=st.integers(-1440, 2880),
)
def test_lines_rendered_around_new_year_have_the_runs_of_both_years(
    systemds: Systemds, generated: Generated, zone: str, year: int, before: int
) -> None:
    start = datetime(year, 1, 1, tzinfo=UTC) - timedelta(minutes=before)
    end = start + timedelta(hours=50)
    expected = oracle(generated, zone, start, end)
    try:
        timing = translate(trigger := read_trigger("cron", generated.fields, timezone=zone), now=start)
    except FaultsError:
        assert not expected
        return
    assert_agreement(systemds, trigger, timing, expected, (start, end))


@settings(settings.get_profile("schedule"), max_examples=EXAMPLES or 100)
@given(
    generated=triggers(),
    zone=st.sampled_from(ZONES),
    place=st.tuples(st.integers(0, 30), st.integers(-1440, 900)),
    cut=st.tuples(st.integers(-3000, 3000), st.integers(0, 90000)),
    open_at=st.sampled_from(("start", "end", "neither")),
)
def test_lines_respect_start_and_end(  # noqa: PLR0913, PLR0917 - what hypothesis draws
    systemds: Systemds, generated: Generated, zone: str, place: tuple[int, int], cut: tuple[int, int], open_at: str
) -> None:
    low, high = days_around(zone, *place)
    first = low.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + timedelta(minutes=cut[0])
    last = first + timedelta(minutes=cut[1])
    fields: dict[str, object] = {**generated.fields}
    expected = oracle(generated, zone, low, high)
    if open_at != "start":
        fields["start_date"] = first
        expected = [at for at in expected if at >= first.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)]
    if open_at != "end":
        fields["end_date"] = f"{last:%Y-%m-%d %H:%M:%S}"
        expected = [at for at in expected if at <= last.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)]
    try:
        trigger = read_trigger("cron", fields, timezone=zone)
        timing = translate(trigger, now=NOW)
    except FaultsError:  # it never fires, or never again
        assert not [at for at in expected if at > NOW]
        return
    assert_agreement(systemds, trigger, timing, expected, (low, high))


@settings(settings.get_profile("schedule"), max_examples=EXAMPLES or 150)
@given(
    units=st.one_of(
        st.sampled_from(({"hours": 36}, {"days": 2}, {"weeks": 1}, {"weeks": 2}, {"minutes": 7}, {"minutes": 90},
                         {"seconds": 96}, {"seconds": 40}, {"hours": 5}, {"days": 3, "hours": 1})),
        st.dictionaries(
            st.sampled_from(("weeks", "days", "hours", "minutes")), st.integers(1, 30), min_size=1, max_size=2
        ),
    ),
    phase=st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001
    lasting=st.none() | st.integers(1, 4000),
    low=st.datetimes(datetime(2027, 1, 1), datetime(2036, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)  # fmt: skip
def test_interval_lines_and_guards_keep_real_time(
    systemds: Systemds, units: dict[str, int], phase: datetime | None, lasting: int | None, low: datetime
) -> None:
    """A real sh runs the guards; its `date` returns each instant at which the timer elapses."""
    low = low.replace(microsecond=0)
    step = timedelta(**units)
    fields: dict[str, object] = dict(units)
    anchor = datetime(1970, 1, 5, tzinfo=UTC)
    if phase:
        phase = phase.replace(microsecond=0)
        fields["start_date"] = phase
        anchor = phase.replace(tzinfo=UTC)
    ended = None
    if lasting:
        ended = (phase or datetime(2027, 1, 1)) + timedelta(hours=lasting)  # noqa: DTZ001
        fields["end_date"] = ended
    high = low + min(step * 6, timedelta(days=200))
    at = anchor + step * max(0, -((anchor - low) // step))
    while at - step >= low and not (phase and at - step < anchor):
        at -= step
    expected = []
    while at < high:
        if at >= low and not (ended and at > ended.replace(tzinfo=UTC)):
            expected.append(at)
        at += step
    trigger = read_trigger("interval", fields, timezone="UTC")
    try:
        timing = translate(trigger, now=NOW)
    except FaultsError:  # it never fires, or never again
        assert not expected
        return
    assert_agreement(systemds, trigger, timing, expected, (low, high))
    if timing.elapses_every:  # then run-task picks its slots: tests/integration/run has how
        for systemd in systemds:
            fired, known = systemd.fires(timing.on_calendar, low, high, MAX_ITERATIONS)
            assert {at for at in expected if at < known} <= set(fired), systemd


CRONTAB_WEEKDAYS = (
    "0", "7", "00", "01", "05", "07", "01-05", "0-0", "sun-sun", "0-sun", "sun-0", "0-3", "5-7", "fri-sun", "1-7/2",
    "0-6/3", "*/2", "*/7", "SUN,Wed", "6,07", "mon-fri/2", "0-7", "7-7",
)  # fmt: skip
# Days from Sunday on, by crontab(5); cronie reads the 0 at the end of fri-sun as 7.
CRONTAB_DAYS = (
    "0", "0", "0", "1", "5", "0", "12345", "0", "0", "0", "0", "0123", "056", "056", "0135",
    "036", "0246", "0", "03", "06", "135", "0123456", "0",
)  # fmt: skip


def test_the_lines_of_a_crontabs_weekdays_fire_on_these_days(systemds: Systemds) -> None:
    """For two weeks from a Sunday, midnight in UTC."""
    start = datetime(2027, 1, 3, tzinfo=UTC)
    for item, days in zip(CRONTAB_WEEKDAYS, CRONTAB_DAYS, strict=True):
        trigger = read_trigger("cron", crontab_time(f"0 0 * * {item}").fields, timezone="UTC")
        expected = [start + timedelta(days=n) for n in range(14) if str(n % 7) in days]
        assert_agreement(systemds, trigger, translate(trigger, now=NOW), expected, (start, start + timedelta(days=14)))
