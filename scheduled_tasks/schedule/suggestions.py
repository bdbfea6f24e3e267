"""What to write instead of a value that a cron trigger's field does not take.

A field's name and one item of its value go in; a sentence comes out: what is probably meant, otherwise what the field
takes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from apscheduler.triggers.cron.expressions import MONTHS, WEEKDAYS, WeekdayPositionExpression
from apscheduler.triggers.cron.fields import MAX_VALUES, MIN_VALUES

from scheduled_tasks.schedule.trigger import LAST_YEAR

EXAMPLES = {
    "year": f"a year up to {LAST_YEAR} such as 2027, or 2027-2030",
    "month": "1-12 or jan-dec, e.g. month='jan,jul'",
    "day": "1-31, last, or e.g. day='2nd fri' or day='last sun'",
    "week": "an ISO week, 1-53",
    "day_of_week": "mon-sun or 0-6 (0 is Monday), e.g. day_of_week='mon-fri'",
    "hour": "0-23, e.g. hour='*/6' or hour='9-17'",
    "minute": "0-59, e.g. minute='*/15'",
    "second": "0-59",
}
NAMES: dict[str, list[str]] = {"month": MONTHS, "day_of_week": WEEKDAYS}
POSITIONS: list[str] = WeekdayPositionExpression.options  # 1st to 5th, last
LONG_NAMES = {
    "month": ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
              "november", "december"),
    "day_of_week": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
}  # fmt: skip
PHRASES = {
    ("hour", "noon"): "hour=12",
    ("hour", "midnight"): "hour=0",
    ("hour", "24"): "hour=0: midnight is the start of the day",
    ("day_of_week", "7"): "day_of_week='sun' (0 is Monday here, 6 is Sunday)",
    ("day_of_week", "weekday"): "day_of_week='mon-fri'",
    ("day_of_week", "weekdays"): "day_of_week='mon-fri'",
    ("day_of_week", "weekend"): "day_of_week='sat,sun'",
    ("day_of_week", "weekends"): "day_of_week='sat,sun'",
    ("day", "l"): "day='last'",
    ("day", "-1"): "day='last'",
}
TIME_OF_DAY = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))?(?::(\d{2}))? *([ap]m)?", re.ASCII)
NOON = 12


def what_to_write(name: str, item: str) -> str:
    """What to write instead of an item of a field."""
    item = " ".join(item.lower().split())
    if halves := _wrapped(name, item):
        return f"a range does not wrap: write {halves}"
    meant = PHRASES.get((name, item)) or _time(name, item) or _names(name, item) or _position(name, item)
    return f"write {meant or EXAMPLES[name]}"


def _wrapped(name: str, item: str) -> str:
    """The two halves of a range whose end comes before its start."""
    match = re.fullmatch(r"([a-z]+|\d+)-([a-z]+|\d+)", item, re.ASCII)
    if not match:
        return ""
    start, end = match.groups()
    names = NAMES.get(name, [])
    if start in names and end in names and names.index(end) < names.index(start):
        return f"{name}={','.join(names[names.index(start) :] + names[: names.index(end) + 1])!r}"
    low, high = MIN_VALUES[name], MAX_VALUES[name]
    if start.isdigit() and end.isdigit() and low <= int(end) < int(start) <= high:
        return f"{name}='{start}-{high},{low}-{end}'"
    return ""


def _time(name: str, item: str) -> str:
    """`6:30`, `6am` and `9am-5pm`, written as fields."""
    if name not in {"hour", "minute"}:
        return ""
    times = [_time_of_day(part.strip()) for part in item.split("-")]
    if len(times) == 1 and times[0]:
        return ", ".join(f"{field}={number}" for field, number in times[0].items())
    if len(times) == 2 and all(list(time) == ["hour"] for time in times):  # noqa: PLR2004 - from, to
        return f"hour='{times[0]['hour']}-{times[1]['hour']}'"
    return ""


def _time_of_day(text: str) -> dict[str, int]:
    """The fields of a time of day; {} if the text is only a number or something else."""
    match = TIME_OF_DAY.fullmatch(text)
    if not match or not (match[2] or match[4]):
        return {}
    hour, half = int(match[1]), match[4]
    if half and not 1 <= hour <= NOON:
        return {}
    hour = hour % NOON + NOON * (half == "pm") if half else hour
    fields = {"hour": hour} | {
        field: int(number) for field, number in (("minute", match[2]), ("second", match[3])) if number
    }
    return fields if all(number <= MAX_VALUES[field] for field, number in fields.items()) else {}


def _short(name: str, word: str) -> str:
    """The first three letters of a month's or weekday's name, which may be whole or a plural; "" for other text."""
    singular = word.removesuffix("s") if len(word) > 5 else word  # noqa: PLR2004 - tues and thurs are singular
    for short, long in zip(NAMES[name], LONG_NAMES[name], strict=True):
        if len(word) > 2 and long.startswith(singular):  # noqa: PLR2004
            return short
    return ""


def _names(name: str, item: str) -> str:
    """Names in full, and weekdays in the field of days."""
    field = "day_of_week" if name == "day" else name
    if field not in NAMES:
        return ""
    words = [_short(field, word.strip()) for word in item.split("-")]
    return f"{field}={'-'.join(words)!r}" if all(words) and len(words) <= 2 else ""  # noqa: PLR2004


def _position(name: str, item: str) -> str:
    """The nth or last weekday of a month, in several spellings; and `15th`."""
    if name not in {"day", "day_of_week"}:
        return ""
    if match := re.fullmatch(r"([a-z]+)(?:#([1-5])|l)", item, re.ASCII):  # Quartz's
        weekday = _short("day_of_week", match[1])
        return _positions(int(match[2]) - 1 if match[2] else -1, [weekday]) if weekday else ""
    first, _, rest = item.partition(" ")
    if name == "day" and not rest and (ordinal := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)", first, re.ASCII)):
        return f"day={int(ordinal[1])}"
    words = ("first", "second", "third", "fourth", "fifth", "last")
    position = next((names.index(first) for names in (POSITIONS, words) if first in names), None)
    weekdays = _weekdays(rest)
    return _positions(position, weekdays) if position is not None and weekdays else ""


def _weekdays(text: str) -> list[str]:
    """The weekdays of a list or a range; none if a word is not a weekday."""
    if "-" in text:
        ends = [_short("day_of_week", word) for word in text.split("-")]
        if len(ends) != 2 or not all(ends):  # noqa: PLR2004 - from, to
            return []
        first, last = map(WEEKDAYS.index, ends)
        return NAMES["day_of_week"][first : last + 1]
    weekdays = [_short("day_of_week", word) for word in re.split(r"[ ,]+", text)]
    return weekdays if all(weekdays) else []


def _positions(position: int, weekdays: Sequence[str]) -> str:
    return f"day='{','.join(f'{POSITIONS[position]} {weekday}' for weekday in weekdays)}'"
