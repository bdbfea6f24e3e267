"""Shared by the differential tests: generated triggers and an independent oracle.

The oracle is brute force over the minutes of a few days in UTC, with zoneinfo; it shares no code with the package. Nor
does the meaning of the generated fields: each field is generated together with the set of its numbers.
"""

from __future__ import annotations

import os
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ZONES = (
    "Europe/Paris", "Europe/Dublin", "America/New_York", "America/Santiago", "America/Havana", "America/St_Johns",
    "America/Nuuk", "Asia/Beirut", "Asia/Gaza", "Africa/Cairo", "Africa/Casablanca", "Australia/Lord_Howe",
    "Pacific/Chatham", "Antarctica/Troll", "Atlantic/Azores", "Asia/Kolkata", "Asia/Kathmandu", "UTC", "Etc/GMT-3",
)  # fmt: skip

# A longer run: SCHEDULE_EXAMPLES=20000 pytest tests/integration/schedule
EXAMPLES = int(os.environ.get("SCHEDULE_EXAMPLES", "0"))
settings.register_profile(
    "schedule",
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@dataclass(frozen=True)
class Generated:
    """A generated cron trigger: its fields as text, and their meaning."""

    fields: dict[str, str]
    hours: frozenset[int]
    minutes: frozenset[int]
    seconds: frozenset[int]
    day: Callable[[date], bool] = field(compare=False, repr=False)

    def wants(self, wall: datetime) -> bool:
        return wall.hour in self.hours and wall.minute in self.minutes and self.day(wall.date())

    @property
    def repeating(self) -> frozenset[int]:
        """Decision 0004: the hours with both neighbours in the hour field."""
        return frozenset(h for h in self.hours if (h - 1) % 24 in self.hours and (h + 1) % 24 in self.hours)


def of_numbers(low: int, high: int, *, frequent: bool = False) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    """A field of numbers: its text and its meaning."""
    number = st.integers(low, high)
    single = number.map(lambda n: (str(n), frozenset({n})))
    everything = st.just(("*", frozenset(range(low, high + 1))))
    step = st.integers(1, max(1, (high - low) // 2)).map(lambda n: (f"*/{n}", frozenset(range(low, high + 1, n))))
    spans = st.tuples(number, number).filter(lambda ab: ab[0] < ab[1])
    span = spans.map(lambda ab: (f"{ab[0]}-{ab[1]}", frozenset(range(ab[0], ab[1] + 1))))
    stepped = (
        st.tuples(spans, st.integers(1, 5))
        .filter(lambda x: x[1] <= x[0][1] - x[0][0])
        .map(lambda x: (f"{x[0][0]}-{x[0][1]}/{x[1]}", frozenset(range(x[0][0], x[0][1] + 1, x[1]))))
    )
    plain = [single, step, span, stepped] + ([everything, everything] if frequent else [])
    several = st.lists(st.one_of(single, single, span), min_size=2, max_size=4).map(
        lambda many: (",".join(t for t, _ in many), frozenset().union(*(s for _, s in many)))
    )
    return st.one_of(*plain, several)


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ORDINALS = ("1st", "2nd", "3rd", "4th", "5th", "last")


def nth(ordinal: str, weekday: str) -> Callable[[date], bool]:
    def holds(day: date) -> bool:
        if day.weekday() != WEEKDAYS.index(weekday):
            return False
        if ordinal == "last":
            return day.day + 7 > monthrange(day.year, day.month)[1]
        return 7 * ORDINALS.index(ordinal) < day.day <= 7 * ORDINALS.index(ordinal) + 7

    return holds


@st.composite
def dates(draw: st.DrawFn, *, weeks: bool = True) -> tuple[dict[str, str], Callable[[date], bool]]:
    """Date fields, mostly loose, so that runs coincide with shifts often enough."""
    fields: dict[str, str] = {}
    tests: list[Callable[[date], bool]] = []
    kinds = ["any"] * 6 + ["month", "day", "last", "nth", "weekday", "weekday", "year"] + ["week"] * weeks
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2, unique=True)):
        if kind == "month":
            fields["month"], months = draw(of_numbers(1, 12))
            tests.append(_among(lambda day: day.month, months))
        elif kind == "day" and "day" not in fields:
            fields["day"], days = draw(of_numbers(1, 28))
            if "*" in fields["day"]:
                step = int(fields["day"][2:])
                days = frozenset(range(1, 32, step))
            tests.append(_among(lambda day: day.day, days))
        elif kind == "last" and "day" not in fields:
            fields["day"] = "last"
            tests.append(lambda d: d.day == monthrange(d.year, d.month)[1])
        elif kind == "nth" and "day" not in fields:
            ordinal, weekday = draw(st.sampled_from(ORDINALS)), draw(st.sampled_from((*WEEKDAYS, "sun", "sun")))
            fields["day"] = f"{ordinal} {weekday}"
            tests.append(nth(ordinal, weekday))
        elif kind == "weekday":
            fields["day_of_week"], weekdays = draw(of_numbers(0, 6))
            tests.append(_among(lambda day: day.weekday(), weekdays))
        elif kind == "year":
            low = draw(st.integers(2026, 2036))
            fields["year"] = f"{low}-{low + 6}"
            tests.append(_among(lambda day: day.year, frozenset(range(low, low + 7))))
        elif kind == "week":
            fields["week"], numbers = draw(of_numbers(1, 53))
            tests.append(_among(lambda day: day.isocalendar()[1], numbers))
    return fields, lambda d: all(test(d) for test in tests)


@st.composite
def triggers(draw: st.DrawFn, *, weeks: bool = True) -> Generated:
    fields, day = draw(dates(weeks=weeks))
    night = st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True).map(
        lambda many: (",".join(map(str, many)), frozenset(many))
    )
    hour, hours = draw(st.one_of(of_numbers(0, 23, frequent=True), night))
    minute, minutes = draw(of_numbers(0, 59, frequent=True))
    second, seconds = draw(st.one_of(st.just(("0", frozenset({0}))), of_numbers(0, 59)))
    fields |= {"hour": hour, "minute": minute} | ({"second": second} if second != "0" else {})
    return Generated(fields, hours, minutes, seconds, day)


def _among(part: Callable[[date], int], numbers: frozenset[int]) -> Callable[[date], bool]:
    return lambda day: part(day) in numbers


def literal(fields: dict[str, str]) -> Generated:
    """A literal case: hours, minutes and weeks as a number, a list or a step, and days of the week by name."""

    def numbers(text: str, top: int) -> frozenset[int]:
        start, _, step = text.partition("/")
        if start == "*":
            return frozenset(range(0, top + 1, int(step or 1)))
        return frozenset(int(number) for number in text.split(","))

    by_position = nth(*fields["day"].split()) if "day" in fields else lambda _: True
    weeks = numbers(fields.get("week", "*"), 53) - {0}
    if "/" in fields.get("week", ""):
        weeks = frozenset(range(1, 54, int(fields["week"].partition("/")[2])))
    weekdays = {WEEKDAYS.index(name) for name in fields.get("day_of_week", ",".join(WEEKDAYS)).split(",")}
    return Generated(
        fields,
        numbers(fields.get("hour", "*"), 23),
        numbers(fields.get("minute", "0"), 59),
        frozenset({0}),
        lambda day: day.weekday() in weekdays and by_position(day) and day.isocalendar()[1] in weeks,
    )


@cache
def days_of_change(zone: str, first: int = 2026, last: int = 2036) -> tuple[datetime, ...]:
    """The days (UTC midnights) with a shift of the zone."""
    info, days = ZoneInfo(zone), []
    day = datetime(first, 11, 23, tzinfo=UTC)
    while day.year <= last:
        if day.astimezone(info).utcoffset() != (day + timedelta(days=1)).astimezone(info).utcoffset():
            days.append(day)
        day += timedelta(days=1)
    return tuple(days)


@dataclass(frozen=True)
class Night:
    """A generated trigger whose hours are around a shift of its zone, at the UTC instant `at`."""

    generated: Generated
    zone: str
    at: datetime


@st.composite
def nights(draw: st.DrawFn) -> Night:
    zone = draw(st.sampled_from([zone for zone in ZONES if days_of_change(zone)]))
    day = draw(st.sampled_from(days_of_change(zone)))
    info = ZoneInfo(zone)
    minutes_of_day = (day + n * MINUTE for n in range(1441))
    before = day.astimezone(info).utcoffset()
    at = next(minute for minute in minutes_of_day if minute.astimezone(info).utcoffset() != before)
    about = [((at + timedelta(hours=n)).astimezone(info)).hour for n in (-2, -1, 0, 1)]
    near = sorted({*about, *((hour + 1) % 24 for hour in about), *((hour - 1) % 24 for hour in about)})
    chosen = st.lists(st.sampled_from(near), min_size=1, max_size=4, unique=True).map(
        lambda many: (",".join(map(str, many)), frozenset(many))
    )
    everything = st.just(("*", frozenset(range(24))))
    all_near = st.just((",".join(map(str, near)), frozenset(near)))
    hour, hours = draw(st.one_of(chosen, chosen, everything, all_near))
    quarters = st.lists(st.sampled_from((0, 1, 15, 29, 30, 31, 45, 59)), min_size=1, max_size=3, unique=True).map(
        lambda many: (",".join(map(str, many)), frozenset(many))
    )
    minute, minutes = draw(st.one_of(quarters, of_numbers(0, 59)))
    weekdays = {at.astimezone(info).weekday(), (at - timedelta(hours=3)).astimezone(info).weekday()}
    fields, wanted = draw(
        st.one_of(
            st.just(({}, lambda _: True)),
            st.sampled_from(sorted(weekdays)).map(
                lambda n: ({"day_of_week": WEEKDAYS[n]}, _among(lambda day: day.weekday(), frozenset({n})))
            ),
            dates(),
        )
    )
    return Night(
        Generated({**fields, "hour": hour, "minute": minute}, hours, minutes, frozenset({0}), wanted), zone, at
    )


def walls(zone: str, start: datetime, minutes: int) -> dict[datetime, list[datetime]]:
    """Each minute that the wall clock shows, with the UTC minutes at which it does."""
    shown: dict[datetime, list[datetime]] = {}
    for n in range(minutes):
        at = start + n * MINUTE
        shown.setdefault(at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0), []).append(at)
    return shown


def oracle(generated: Generated, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Decision 0004 by brute force: the instants in [start, end) at which the trigger fires."""
    margin = timedelta(hours=50)
    shown = walls(zone, start - margin, int((end - start + 2 * margin) / MINUTE))
    instants = set()
    wall, latest = min(shown), max(shown)
    before = wall
    while wall <= latest:
        before = wall if wall in shown else before  # the last minute that the clock showed
        if generated.wants(wall):
            # In a gap real time continues from the last minute shown; a repetition needs no substitute.
            if wall not in shown:
                minutes = [] if wall.hour in generated.repeating else [shown[before][-1] + (wall - before)]
            else:  # a fold: once, the first time; a repetition both times
                minutes = shown[wall] if wall.hour in generated.repeating else shown[wall][:1]
            instants |= {at + timedelta(seconds=s) for at in minutes for s in generated.seconds}
        wall += MINUTE
    return sorted(at for at in instants if start <= at < end)
