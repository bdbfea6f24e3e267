"""Crontab fields mean what they mean to cron; what cron refuses is refused, with what to write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from scheduled_tasks.faults import FaultsError
from scheduled_tasks.schedule import read_trigger
from scheduled_tasks.schedule.crontab import NAMES, crontab_time
from scheduled_tasks.schedule.trigger import Cron

NOW = datetime(2026, 11, 23, tzinfo=UTC)
EVERY_DAY = "*"


def weekdays(item: str) -> str:
    return crontab_time(f"0 0 * * {item}").fields["day_of_week"]


def faults(text: str) -> list[str]:
    with pytest.raises(FaultsError) as caught:
        crontab_time(text)
    assert all(fault.field and fault.value for fault in caught.value.faults)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("4", "thu"),
        ("0", "sun"),
        ("7", "sun"),
        ("1-5", "mon,tue,wed,thu,fri"),
        ("5-7", "fri,sat,sun"),
        ("0,3", "sun,wed"),
        ("mon-fri/2", "mon,wed,fri"),
        ("*/2", "sun,tue,thu,sat"),
        ("*", EVERY_DAY),
        ("01", "mon"),
        ("05", "fri"),
        ("00", "sun"),
        ("07", "sun"),
        ("007", "sun"),
        ("01-05", "mon,tue,wed,thu,fri"),
        ("1-05/02", "mon,wed,fri"),
        ("0-0", "sun"),
        ("7-7", "sun"),
        ("sun-sun", "sun"),
        ("0-sun", "sun"),
        ("sun-0", "sun"),
        ("SUN-Mon", "sun,mon"),
        ("sun-sat", EVERY_DAY),
        ("0-6", EVERY_DAY),
        ("0-7", EVERY_DAY),
        ("1-7", EVERY_DAY),
        ("1,*", EVERY_DAY),
        ("0-7/2", "sun,tue,thu,sat"),
        ("1-7/2", "mon,wed,fri,sun"),
        ("6-7/1", "sat,sun"),
        ("*/7", "sun"),
        ("*/6", "sun,sat"),
    ],
)
def test_weekdays_count_from_sunday_in_every_spelling(item: str, expected: str) -> None:
    assert weekdays(item) == expected


@pytest.mark.parametrize(
    ("text", "expected", "note"),
    [
        ("*/60 * * * *", {"minute": "0"}, "*/60: the step is longer than the range, so it means 0 only, as in cron"),
        ("0 */24 * * *", {"hour": "0"}, "*/24: the step is longer than the range, so it means 0 only, as in cron"),
        ("0 10-20/11 * * *", {"hour": "10"},
         "10-20/11: the step is longer than the range, so it means 10 only, as in cron"),
        ("0 0 */31 * *", {"day": "1"}, "*/31: the step is longer than the range, so it means 1 only, as in cron"),
        ("0 0 * * */8", {"day_of_week": "sun"},
         "*/8: the step is longer than the range, so it means 0 only, as in cron"),
        ("0 0 * * fri-sun", {"day_of_week": "fri,sat,sun"},
         "fri-sun: cronie runs it from fri to sun, as here; Debian's cron never does"),
        ("0 0 * * 6-0", {"day_of_week": "sat,sun"},
         "6-0: cronie runs it from sat to sun, as here; Debian's cron never does"),
    ],
)  # fmt: skip
def test_what_implementations_treat_differently_is_noted(text: str, expected: dict[str, str], note: str) -> None:
    time = crontab_time(text)
    assert (time.fields | expected, time.notes) == (time.fields, (note,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("05 007 01 1-03 *", {"minute": "5", "hour": "7", "day": "1", "month": "1-3"}),
        ("0 0 1 JAN-mar,dec *", {"month": "jan-mar,dec"}),
        ("0 0 1 jan-jul/3 *", {"month": "1-7/3"}),
        ("0 0 1 jan-3 *", {"month": "1-3"}),
        ("*/1 *,5 * * *", {"minute": "*", "hour": "*"}),
        ("5-5 5-5/1 * * *", {"minute": "5", "hour": "5"}),
        ("@daily", {"minute": "0", "hour": "0", "day_of_week": "*"}),
        ("@weekly", {"minute": "0", "hour": "0", "day_of_week": "sun"}),
        (" 1\t2  * * *\n", {"minute": "1", "hour": "2"}),
    ],
)
def test_the_other_fields_are_written_in_the_language_of_triggers(text: str, expected: dict[str, str]) -> None:
    fields = crontab_time(text).fields
    assert fields | expected == fields
    read_trigger("cron", fields, timezone="UTC")


OF_WEEKDAYS = "0-7 or sun-sat (0 and 7 are Sunday), e.g. 1-5 or mon-fri"


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("1/2", "'1/2' has a step without a range, which cron refuses; write 1-7/2 if that is meant"),
        ("mon/2", "'mon/2' has a step without a range, which cron refuses; write 1-7/2 if that is meant"),
        ("3/2", "'3/2' has a step without a range, which cron refuses; write 3-7/2 if that is meant"),
        ("6/1", "'6/1' has a step without a range, which cron refuses; write 6-7/1 if that is meant"),
        ("8", f"cron has no '8' here; write {OF_WEEKDAYS}"),
        ("٣", f"'٣' is not understood; write {OF_WEEKDAYS}"),
        ("1-٣", f"'1-٣' is not understood; write {OF_WEEKDAYS}"),
        ("*-5", f"'*-5' is not understood; write {OF_WEEKDAYS}"),
        ("monday", "cron has no 'monday' here; write mon"),
        ("*/0", f"'*/0' has a step of 0, which cron refuses; write {OF_WEEKDAYS}"),
        ("1,,2", f"an item of the list is empty, which cron refuses; write {OF_WEEKDAYS}"),
        ("fri-mon", "cron accepts 'fri-mon' and never runs it: 5 comes after 1; write fri,sat,sun,mon"),
        ("7-1", "cron accepts '7-1' and never runs it: 7 comes after 1; write sun,mon"),
        ("mon-sun/2", "cron accepts 'mon-sun/2' and never runs it: 1 comes after 0; write 1-7/2"),
        ("5L", "cron has no 5L; write a job of a clock file, with day='last fri'"),
        ("friL", "cron has no FRIL; write a job of a clock file, with day='last fri'"),
        ("5#2", ("cron has no 5#2; Debian's cron reads it as 5 and drops the rest; "
                "write a job of a clock file, with day='2nd fri'")),
        ("mon#1", ("cron has no mon#1; Debian's cron reads it as mon and drops the rest; "
                  "write a job of a clock file, with day='1st mon'")),
        ("7#5", ("cron has no 7#5; Debian's cron reads it as 7 and drops the rest; "
                "write a job of a clock file, with day='5th sun'")),
        ("?", "cron has no ?; write *"),
    ],
)  # fmt: skip
def test_a_faulty_weekday_is_explained_in_crontabs_terms(item: str, problem: str) -> None:
    assert faults(f"0 0 * * {item}") == [f"day_of_week={item!r}: {problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("11 7 * *", "4 fields; a crontab line has five"),
        ("0 0 * * 1-5 /bin/true", "6 fields; a crontab line has five"),
        ("11 7 1 * mon", "a crontab line runs when day or weekday matches, a trigger only when both do"),
        ("@reboot", "it runs when the machine starts, and a timer needs a time; write a systemd service for it"),
        ("@dayly", "cron has no @dayly; write @daily"),
        ("@Daily", "cron has no @Daily; write @daily"),
        ("@fortnightly", "cron has no @fortnightly; it has @yearly, @annually, @monthly"),
        ("5/15 * * * *", "minute='5/15': '5/15' has a step without a range, which cron refuses; write 5-59/15 if"),
        ("0 22-2 * * *", "hour='22-2': cron accepts '22-2' and never runs it: 22 comes after 2; write 22-23,0-2"),
        ("0 0 1 dec-jan *", "month='dec-jan': cron accepts 'dec-jan' and never runs it: 12 comes after 1; write 12,1"),
        ("0 24 * * *", "hour='24': 24 is no hour; write 0: midnight is the start of the day"),
        ("60 0 * * *", "minute='60': cron has no '60' here; write 0-59, e.g. */15 or 0,30"),
        ("0 0 L * *", "day='L': cron has no L; write a job of a clock file, with day='last'"),
        ("0~30 5 * * *", "minute='0~30': '0~30' is a random number, which a timer does not choose; write a number"),
        ("9" * 5000 + " 0 * * *", "is not understood"),
    ],
)
def test_a_line_that_no_trigger_can_stand_for_is_a_fault(text: str, problem: str) -> None:
    [fault] = faults(text)
    assert problem in fault


def test_all_faults_of_a_line_come_at_once() -> None:
    assert [fault.partition("=")[0] for fault in faults("60 24 0 13 8,9")] == [
        "minute", "hour", "day", "month", "day_of_week", "day_of_week",
    ]  # fmt: skip


RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "day_of_week": (0, 7)}
SPELLINGS = {
    "month": ["Jan", "feb", "MAR", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "day_of_week": ["Sun", "mon", "TUE", "wed", "thu", "fri", "sat"],
}


@st.composite
def words(draw: st.DrawFn, name: str, number: int) -> str:
    """One of the spellings of a number."""
    spellings = ["{}", "0{}", "00{}"]
    names = dict(enumerate(SPELLINGS.get(name, []), RANGES[name][0]))
    return names[number] if number in names and draw(st.booleans()) else draw(st.sampled_from(spellings)).format(number)


@st.composite
def items(draw: st.DrawFn, name: str) -> str:
    low, high = RANGES[name]
    first, last = sorted(draw(st.lists(st.integers(low, high), min_size=2, max_size=2, unique=True)))
    span = f"{draw(words(name, first))}-{draw(words(name, last))}"
    every, step = draw(st.integers(1, high + 3)), draw(st.sampled_from(["", "0"])) + str(draw(st.integers(1, high + 3)))
    return draw(st.sampled_from(["*", f"*/{every}", draw(words(name, first)), span, f"{span}/{step}"]))


@st.composite
def fields(draw: st.DrawFn) -> tuple[str, str]:
    name = draw(st.sampled_from([*NAMES, "day_of_week", "day_of_week"]))
    return name, ",".join(draw(st.lists(items(name), min_size=1, max_size=3)))


def line(name: str, text: str) -> str:
    return " ".join(text if column == name else "*" for column in NAMES)


def ours(name: str, text: str) -> frozenset[int]:
    """The numbers of a field as the trigger has them; Sunday is 0."""
    trigger = read_trigger("cron", crontab_time(line(name, text)).fields, timezone="UTC")
    assert isinstance(trigger, Cron)
    if name == "day_of_week":
        return frozenset((weekday + 1) % 7 for weekday in trigger.weekdays)
    return frozenset(getattr(trigger, f"{name}s"))


def cronsims(name: str, text: str) -> frozenset[int]:
    simulated = CronSim(line(name, text), NOW)
    if name == "day_of_week":
        return frozenset(weekday % 7 for weekday in simulated.weekdays if isinstance(weekday, int))
    return frozenset(getattr(simulated, f"{name}s"))


@settings(max_examples=400, deadline=None)
@given(field=fields())
@example(field=("day_of_week", "01-05,SUN"))
@example(field=("minute", "*/60"))
def test_a_field_in_any_spelling_has_the_numbers_that_cronsim_reads(field: tuple[str, str]) -> None:
    assert ours(*field) == cronsims(*field)


@settings(max_examples=400, deadline=None)
@given(text=st.text("0123567-/,*#L?~sunmofri٣ ", min_size=1, max_size=7))
@example(text="5#2")
@example(text="1/2")
@example(text="٣")
def test_no_weekday_is_read_otherwise_than_cronsim_reads_it(text: str) -> None:
    try:
        time = crontab_time(f"0 0 * * {text}")
    except FaultsError:
        return
    assume(not time.notes)
    assume("/" not in text or text.partition("/")[0][:1] != text.partition("/")[0][-1:])  # cronsim reads 5-5/1 as 5-7
    try:
        assert ours("day_of_week", text) == cronsims("day_of_week", text)
    except CronSimError:
        pytest.fail(f"cronsim refuses {text!r}")
