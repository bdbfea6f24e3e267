"""Describe a trigger in plain English, for plans and previews.

One sentence without its full stop. Written for this project, since cron-descriptor knows the fields of a crontab but
not ISO weeks, `last sun`, bounds or zones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from scheduled_tasks.instants import in_sentence
from scheduled_tasks.schedule.calendar_lines import Numbers, ranges
from scheduled_tasks.schedule.trigger import ALL, LAST, Cron, Date, Interval, Trigger
from scheduled_tasks.schedule.zone import zone_info

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}
UNITS = (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
FEW = 6


def describe(trigger: Trigger) -> str:
    """Describe a trigger: `at 06:00 on Monday to Friday, Europe/Paris time`."""
    if isinstance(trigger, Date):
        return f"once, on {_local(trigger.run_at, trigger.zone)}"
    if isinstance(trigger, Interval):
        start = f" from {_local(trigger.anchor, trigger.zone)}" if trigger.start else ""
        end = f" until {_local(trigger.end, trigger.zone)}" if trigger.end else ""
        return f"every {_length(trigger.every)} of real time{start}{end}"
    if not isinstance(trigger, Cron):
        raise TypeError(f"{trigger!r} is not a trigger of this package")
    times_and_dates = " ".join(filter(None, (_times(trigger), _dates(trigger))))
    start = f", from {_local(trigger.start, trigger.zone)}" if trigger.start else ""
    end = f", until {_local(trigger.end, trigger.zone)}" if trigger.end else ""
    return f"{times_and_dates}, {trigger.zone} time{start}{end}"


def _local(at: datetime, zone: str) -> str:
    return in_sentence(at, zone_info(zone), zone)


def _length(seconds: int) -> str:
    lengths = []
    for unit, size in UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            lengths.append(unit if count == 1 else f"{count} {unit}s")
    return _and(lengths)


def _and(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _step(values: Numbers, everything: Numbers) -> int | None:
    """The step of values that are evenly spaced over all of a field, from its first number on."""
    if len(values) < 3 or values[0] != everything[0]:  # noqa: PLR2004 - two are a list
        return None
    step = values[1] - values[0]
    return step if values == everything[::step] else None


def _listed(values: Numbers, names: Sequence[str] | None = None) -> str:
    def name(value: int) -> str:
        return names[value] if names else str(value)

    items = []
    for first, last in ranges(values):
        if last - first > 1:
            items.append(f"{name(first)} to {name(last)}")
        else:
            items.extend(map(name, range(first, last + 1)))
    return _and(items)


def _times(cron: Cron) -> str:
    count = len(cron.hours) * len(cron.minutes) * len(cron.seconds)
    if count <= FEW and len(cron.hours) <= FEW:
        return "at " + _and([
            f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")
            for hour in cron.hours for minute in cron.minutes for second in cron.seconds
        ])  # fmt: skip
    return " ".join(filter(None, (_seconds(cron), _minutes(cron), _hours(cron))))


def _seconds(cron: Cron) -> str:
    if cron.seconds == (0,):
        return ""
    step = _step(cron.seconds, ALL["second"])
    if step:
        return "every second" if step == 1 else f"every {step} seconds"
    return f"at second {_listed(cron.seconds)}"


def _minutes(cron: Cron) -> str:
    step = _step(cron.minutes, ALL["minute"])
    if step == 1:
        return "of every minute" if cron.seconds != (0,) else "every minute"
    if step:
        even = "" if 60 % step == 0 else " past the hour"
        return f"every {step} minutes{even}"
    return f"at minute {_listed(cron.minutes)}"


def _hours(cron: Cron) -> str:
    step = _step(cron.hours, ALL["hour"])
    if step == 1:
        return "of every hour" if _step(cron.minutes, ALL["minute"]) is None else ""
    return (
        f"of every {step} hours from midnight"
        if step
        else f"in the hour{'s' * (len(cron.hours) > 1)} {_listed(cron.hours)}"
    )


def _dates(cron: Cron) -> str:
    phrases = []
    days = []
    step = _step(cron.days, ALL["day"])
    if step and step > 1:
        days.append(f"every {step} days from the 1st")
    elif cron.days and not step:
        days.append(f"day {_listed(cron.days)}")
    days += [f"the {ORDINALS[nth]} {WEEKDAYS[weekday]}" for nth, weekday in cron.positions]
    if cron.last_day:
        days.append("the last day")
    if days:
        phrases.append(f"on {_and(days)} of the month")
    if len(cron.weekdays) < len(WEEKDAYS):
        phrases.append(("if that is a " if days else "on ") + _listed(cron.weekdays, WEEKDAYS))
    if cron.weeks is not None:
        phrases.append(f"in ISO week {_listed(cron.weeks)}")
    if len(cron.months) < len(MONTHS) - 1:
        phrases.append(f"in {_listed(cron.months, MONTHS)}")
    if cron.years is not None:
        phrases.append(f"in {_listed(cron.years)}")
    return " ".join(phrases) or "every day" * (len(cron.hours) < len(ALL["hour"]))
