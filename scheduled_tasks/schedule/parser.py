"""Parse the arguments of `add_job` into a Trigger, or collect all of their faults.

A trigger's name or an APScheduler trigger object goes in, with the trigger's keyword arguments; a frozen Trigger comes
out. Only this module, trigger_reader, cron_fields and suggestions import APScheduler, since the hot path must not.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.cron.fields import DEFAULT_VALUES
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from scheduled_tasks.faults import Fault
from scheduled_tasks.schedule.cron_fields import Field, numbers_of, read_field
from scheduled_tasks.schedule.evaluator import occurrences
from scheduled_tasks.schedule.trigger import ALL, FIRST_YEAR, Cron, Date, Interval, Trigger
from scheduled_tasks.schedule.trigger_reader import TriggerReader, ceil

CRON_FIELDS = CronTrigger.FIELD_NAMES
UNITS = {"weeks": 604800, "days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
COMMON = ("start_date", "end_date", "timezone", "jitter")
KNOWN = {"cron": (*CRON_FIELDS, *COMMON), "interval": (*UNITS, *COMMON), "date": ("run_date", "timezone")}
# Names from other schedulers or from the other triggers, with the field that is probably meant.
MEANT = {
    "cron": {unit: unit[:-1] for unit in UNITS} | {
        "years": "year", "months": "month", "dow": "day_of_week", "weekday": "day_of_week",
        "weekdays": "day_of_week", "day_of_month": "day", "dom": "day",
    },
    "interval": {unit[:-1]: unit for unit in UNITS},
    "date": {"date": "run_date", "run_at": "run_date", "at": "run_date", "start_date": "run_date"},
}  # fmt: skip
OBJECTS = (CronTrigger, IntervalTrigger, DateTrigger)
MAX_INTERVAL = 100 * 366 * 86400  # seconds


def read_trigger(
    trigger: object, fields: Mapping[str, object], *, timezone: str | tzinfo, others: Collection[str] = ()
) -> Trigger:
    """The Trigger of `add_job(task, trigger, **fields)`.

    `trigger` is 'cron', 'interval', 'date' or such an APScheduler object; `timezone` is the zone of a job that names
    none; `others` are the keywords besides a trigger's fields, one of which a misspelt name may mean. Raises
    FaultsError with every fault.
    """
    reader = TriggerReader(timezone)
    if isinstance(trigger, str):
        if trigger not in KNOWN:
            near = difflib.get_close_matches(trigger, KNOWN, 1)
            reader.fault("trigger", trigger, "unknown trigger", f"write {', '.join(map(repr, near or KNOWN))}")
            reader.raise_faults()
        given = {name: value for name, value in fields.items() if value is not None}
        for name in fields:
            if name not in KNOWN[trigger]:
                reader.fault(name, fields[name], *_unknown(trigger, name, others))
        if given.get("timezone") is not None:
            reader.read_zone(given["timezone"])
        return {"cron": _read_cron, "interval": _read_interval, "date": _read_date}[trigger](reader, given)
    if type(trigger) in OBJECTS:
        for name in fields:
            near = difflib.get_close_matches(name, others, 1)
            problem = "not an option" if near else "a trigger object takes no further fields"
            reader.fault(name, fields[name], problem, f"write {near[0]}=" if near else "write it in the object")
    return _read_object(reader, trigger)


def _unknown(trigger: str, name: str, others: Collection[str]) -> tuple[str, str]:
    """The problem of a keyword that nobody knows, and what to write instead."""
    known, problem = KNOWN[trigger], f"not a field of the {trigger} trigger"
    nearest = difflib.get_close_matches(name.lower(), [*known, *others], 1)
    meant = MEANT[trigger].get(name) or next(iter(nearest), "")
    if meant in others or (others and not meant):
        problem = f"neither a field of the {trigger} trigger nor an option"
    if meant:
        return problem, f"write {meant}="
    options = f"; the options are {', '.join(others)}" if others else ""
    return problem, f"it has {', '.join(known)}{options}"


def _read_cron(reader: TriggerReader, given: Mapping[str, object]) -> Trigger:
    read: dict[str, Field] = {}
    lowest = max((CRON_FIELDS.index(name) for name in given if name in CRON_FIELDS), default=None)
    for index, name in enumerate(CRON_FIELDS):
        below = lowest is not None and index > lowest
        field = read_field(name, given.get(name, DEFAULT_VALUES[name] if below else "*"))
        if isinstance(field, Fault):
            reader.faults.append(field)
        else:
            read[name] = field
    bounds = reader.read_bounds(given)
    reader.raise_faults()
    return _cron(reader, read, bounds, given)


def _cron(
    reader: TriggerReader, read: Mapping[str, Field], bounds: dict[str, Any], given: Mapping[str, object]
) -> Cron:
    _warn_of_frequent_runs(reader, read, given)
    day = read["day"]
    cron = Cron(
        zone=reader.zone,
        years=None if read["year"].everything else read["year"].numbers,
        months=read["month"].numbers,
        days=day.numbers,
        last_day=day.last_day and not day.everything,
        positions=() if day.everything else day.positions,
        weeks=None if len(read["week"].numbers) == 53 else read["week"].numbers,  # noqa: PLR2004
        weekdays=read["day_of_week"].numbers,
        hours=read["hour"].numbers,
        minutes=read["minute"].numbers,
        seconds=read["second"].numbers,
        warnings=tuple(reader.warnings),
        **bounds,
    )
    if next(occurrences(cron, after=datetime(FIRST_YEAR, 1, 1, tzinfo=UTC) - timedelta(days=1)), None) is None:
        shown = ", ".join(f"{name}={value!r}" for name, value in given.items() if name in CRON_FIELDS)
        bounds_too = " between start_date and end_date" if cron.start or cron.end else ""
        problem = f"never fires: no date{bounds_too} matches all of its fields"
        reader.faults.append(Fault(problem, "write fields that have a date in common", "trigger", f"'cron', {shown}"))
        reader.raise_faults()
    return cron


def _warn_of_frequent_runs(reader: TriggerReader, read: Mapping[str, Field], given: Mapping[str, object]) -> None:
    """Warn if the trigger fires far more often than is likely to be intended."""
    if not any(name in given for name in CRON_FIELDS):
        reader.warnings.append("no cron field is given, so it runs every second; write e.g. minute='*/5'")
    elif len(read["second"].numbers) == len(ALL["second"]):
        reader.warnings.append("second='*' runs it every second; leave second out to run at second 0")
    elif len(read["minute"].numbers) == len(ALL["minute"]):
        hours = read["hour"].numbers
        if len(hours) < len(ALL["hour"]) and len(hours) <= 3:  # noqa: PLR2004 - a longer list is likely to be intended
            reader.warnings.append("it runs every minute of its hours; write minute=0 to run once in each")


def _read_interval(reader: TriggerReader, given: Mapping[str, object]) -> Trigger:
    units: dict[str, float] = {}
    for unit in UNITS:
        value = given.get(unit, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            plain = isinstance(value, str) and re.fullmatch(r"\d+", value, re.ASCII)
            reader.fault(unit, value, "not a number of at least 0", f"write {unit}={value if plain else 1}")
        elif value:
            units[unit] = value
    every = round(sum(value * UNITS[unit] for unit, value in units.items()), 6)
    whole = max(round(every), 1)
    field, shown = next(((unit, given[unit]) for unit in units if units[unit] % 1), ("seconds", every))
    if every > MAX_INTERVAL:
        field = next(iter(units))
        reader.fault(field, given[field], "the interval is longer than a hundred years", "write a shorter one")
    elif every != int(every):
        problem = f"the interval of {every:g} s is not a whole number of seconds"
        reader.fault(field, shown, problem, f"write seconds={whole}")
    bounds = reader.read_bounds(given)
    reader.raise_faults()
    if not every:
        reader.warnings.append("no interval is given, so it runs every second; write e.g. minutes=5")
    return _interval(reader, whole, bounds)


def _interval(reader: TriggerReader, every: int, bounds: dict[str, Any]) -> Interval:
    if bounds["start"] is None:
        reader.warnings.append(
            "no start_date: the interval is counted from Monday 1970-01-05 00:00 UTC; "
            "write start_date to choose its phase"
        )
    return Interval(zone=reader.zone, every=every, warnings=tuple(reader.warnings), **bounds)


def _read_date(reader: TriggerReader, given: Mapping[str, object]) -> Trigger:
    if "run_date" not in given:
        reader.fault("run_date", None, "a date trigger needs its date", "write run_date='2027-01-31 06:00:00'")
    run_at = reader.read_instant("run_date", given.get("run_date"))
    reader.raise_faults()
    if run_at is None:
        raise AssertionError("read_instant returned neither an instant nor a fault")
    return Date(zone=reader.zone, run_at=ceil(run_at), warnings=tuple(reader.warnings))


def _read_object(reader: TriggerReader, trigger: object) -> Trigger:
    """Read an APScheduler object, which has its own zone. Subclasses are faults: they can fire at any time."""
    kind = type(trigger)
    if kind not in OBJECTS:
        reader.fault(
            "trigger", trigger, "no trigger is given" if trigger is None else f"{kind.__name__} can't be rendered",
            "write 'cron', 'interval', 'date', or a CronTrigger, IntervalTrigger or DateTrigger",
        )  # fmt: skip
        reader.raise_faults()
    default, attributes = reader.zone, attributes_of(trigger)
    zone = attributes["run_date"].tzinfo if kind is DateTrigger else attributes["timezone"]
    reader.read_zone(zone)
    if reader.zone != default and not reader.faults:
        reader.warnings.append(
            f"the {kind.__name__} object is in {reader.zone}, not in {default}: that is its own timezone, or the "
            f"host's if it was made without one; write timezone={default!r} in it if that is intended"
        )
    if kind is DateTrigger:
        return _read_date(reader, {"run_date": attributes["run_date"]})
    if kind is IntervalTrigger:
        start = attributes["start_date"]
        # Without start_date the object counts from the instant at which it was made, which can't be intended here.
        given = {**attributes, "start_date": None if start and start.microsecond else start}
        bounds = reader.read_bounds(given)
        reader.raise_faults()
        every = attributes["interval"].total_seconds()
        if every != int(every) or every < 1:
            reader.fault("interval", attributes["interval"], "not a whole number of seconds", "round it")
            reader.raise_faults()
        return _interval(reader, int(every), bounds)
    return _cron_object(reader, attributes)


def _cron_object(reader: TriggerReader, attributes: Mapping[str, Any]) -> Trigger:
    read = {field.name: numbers_of(field.name, field.expressions) for field in attributes["fields"]}
    given = {field.name: str(field) for field in attributes["fields"] if not field.is_default}
    if read["day_of_week"].numeric:
        reader.warnings.append(
            f"day_of_week={given['day_of_week']!r} counts from Monday as 0, even in from_crontab, while a crontab "
            "counts from Sunday; write names (mon, tue, …)"
        )
    bounds = reader.read_bounds(attributes)
    reader.raise_faults()
    return _cron(reader, read, bounds, given)


def attributes_of(trigger: object) -> dict[str, Any]:
    """The attributes of an APScheduler trigger, which has slots."""
    names = {"timezone", "start_date", "end_date", "jitter", "fields", "interval", "run_date"}
    return {name: getattr(trigger, name) for name in names if hasattr(trigger, name)}
