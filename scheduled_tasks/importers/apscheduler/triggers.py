"""Convert the triggers of imported jobs: APScheduler's own trigger, the code for the clock file, the differences.

A job's arguments become one `ReadTrigger`, or several for an OrTrigger.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from scheduled_tasks.conversion_report import Difference
from scheduled_tasks.faults import FaultsError
from scheduled_tasks.importers.apscheduler import model
from scheduled_tasks.importers.apscheduler.evidence import Zones
from scheduled_tasks.importers.apscheduler.model import UNKNOWN, Value, is_plain, why_unknown, written
from scheduled_tasks.importers.apscheduler.vocabulary import ADD_JOB
from scheduled_tasks.importers.codegen import literal
from scheduled_tasks.importers.differences import find_differences
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.schedule import Trigger, read_trigger
from scheduled_tasks.schedule.trigger import Date, Interval

TRIGGER_CLASSES = {"cron": CronTrigger, "interval": IntervalTrigger, "date": DateTrigger}
DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 86400  # seconds
EXECUTE = "give the value, or import with --execute where it is set"
ASSUME = "import with --assume-defaults to take its default, or with --execute where it is set"


@dataclass(frozen=True)
class ReadTrigger:
    """One trigger: its code (`kind`, `words`), APScheduler's own and ours if they could be made, differences."""

    kind: str
    words: tuple[str, ...] = ()
    original: Any = None
    trigger: Trigger | None = None
    differences: tuple[Difference, ...] = ()


def read(arguments: Mapping[str, Value], zones: Zones, now: datetime) -> list[ReadTrigger]:
    """The triggers of a job."""
    trigger = arguments.get("trigger")
    fields = {name: value for name, value in arguments.items() if name not in ADD_JOB}
    if isinstance(trigger, model.UnknownValue):
        return [_refused("undecided", why_unknown(trigger), EXECUTE)]
    if isinstance(trigger, model.TriggerObject) and trigger.unread:
        return [_refused("undecided", trigger.unread, EXECUTE)]
    if isinstance(trigger, model.TriggerObject):
        return _read_object(trigger, zones, now)
    if trigger is None:
        text = "it has no trigger: it runs once, at each start of the clock"
        return [_refused("trigger", text, "run it from a deploy with run-task, or give it a trigger")]
    if trigger not in TRIGGER_CLASSES:
        text = f"{written(trigger)} is not a trigger that a timer supports"
        return [_refused("trigger", text, "write 'cron', 'interval' or 'date'")]
    read = _read(str(trigger), fields, zones.clock.value, now)
    unread = zones.clock.differences() if fields.get("timezone") is None else ()
    return [replace(read, differences=(*unread, *read.differences))]


def _refused(kind: str, text: str, instead: str) -> ReadTrigger:
    return ReadTrigger("", differences=(Difference(kind, text, "refused", instead=instead),))


def _read_object(trigger: model.TriggerObject, zones: Zones, now: datetime) -> list[ReadTrigger]:
    if trigger.kind == "or":
        parts: list[ReadTrigger] = []
        for part in trigger.parts:
            parts += read({"trigger": part}, zones, now)
        text = "an OrTrigger becomes a job for each of its parts; if two fire at the same time, both run"
        return [replace(part, differences=(*part.differences, Difference("or", text))) for part in parts]
    if trigger.kind == "and":
        instead = "write one cron trigger: all of its fields must match"
        return [_refused("and", "a timer can't express an AndTrigger", instead)]
    fields = dict(trigger.fields)
    more: tuple[Difference, ...] = ()
    if trigger.crontab:
        try:
            parsed = CronTrigger.from_crontab(trigger.crontab, timezone="UTC")
        except ValueError as error:
            return [_refused("crontab", f"APScheduler refuses {trigger.crontab!r}: {error}", "correct the expression")]
        given = {field.name: str(field) for field in parsed.fields if not field.is_default}
        given = {name: value for name, value in given.items() if name == "minute" or value != "*"}
        given.pop("second", None)
        weekday = given.get("day_of_week", "")
        if re.search(r"\d", weekday.partition("/")[0]):
            given["day_of_week"] = _named_days(weekday)
            text = (
                f"APScheduler counts weekdays from Monday as 0: it ran on {given['day_of_week']}, although a crontab "
                f"means {_named_days(weekday, first=-1)}; {given['day_of_week']} is kept"
            )
            more = (Difference("weekday", text, "remark"),)
        if given.get("day", "*") != "*" and given.get("day_of_week", "*") != "*":
            text = "in APScheduler day and weekday must both match, in a crontab one of them; both must still match"
            more = (*more, Difference("either", text, "remark"))
        fields = given | fields
    zone = fields.pop("timezone", None)
    single = _read(trigger.kind, fields | {"timezone": zone or zones.host.value}, zones.clock.value, now)
    if zone is None:
        more = (*more, *zones.host.differences())
        if zones.clock.value != zones.host.value:
            clock, host = zones.clock.value, zones.host.value
            text = f"a trigger object without a zone uses the host's ({host}), not the scheduler's ({clock})"
            more = (*more, Difference("zone", text, "remark"))
    return [replace(single, differences=(*single.differences, *more))]


def _named_days(text: str, first: int = 0) -> str:
    """Weekday numbers as names; a number after a / is a step and stays."""

    def name(match: re.Match[str]) -> str:
        return DAY_NAMES[(int(match[0]) + first) % 7]

    if re.search(r"-\w+/", text):
        return text
    return re.sub(r"(?<![/\w])\d", name, text)


def _read(kind: str, given: dict[str, Value], clock_zone: str, now: datetime) -> ReadTrigger:
    fields = {name: value for name, value in given.items() if value is not None}
    for name, value in fields.items():
        if not is_plain(value):
            reason = why_unknown(value)
            instead = (
                ASSUME if isinstance(value, model.UnknownValue) and value.stand_in not in {UNKNOWN, None} else EXECUTE
            )
            difference = Difference("undecided", f"{name}={written(value)}: {reason}", "refused", instead=instead)
            return ReadTrigger(kind, differences=(difference,))
    if fields.get("timezone") == clock_zone:
        del fields["timezone"]
    try:
        trigger = read_trigger(kind, fields, timezone=clock_zone)
    except FaultsError as error:
        return ReadTrigger(kind, differences=tuple(
            Difference("field", f"{fault.field}={fault.value}: {fault.problem}" if fault.field else fault.problem,
                    "refused", instead=fault.instead)
            for fault in error.faults
        ))  # fmt: skip
    try:
        original = TRIGGER_CLASSES[kind](
            **{"timezone": clock_zone} | fields | ({"jitter": None} if "jitter" in fields else {})
        )
    except (TypeError, ValueError) as error:
        return ReadTrigger(kind, differences=(Difference("field", f"APScheduler refuses it: {error}", "refused"),))
    words = tuple(f"{name}={literal(_writable(value))}" for name, value in fields.items())
    return ReadTrigger(kind, words, original, trigger, tuple(_differences(trigger, original, now)))


def _writable(value: Value) -> Value:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else value


def _differences(trigger: Trigger, original: Any, now: datetime) -> list[Difference]:
    differences = find_differences(original, trigger, now)
    if isinstance(trigger, Interval) and trigger.start is None:
        counted = "without start_date APScheduler counted from each start of the clock"
        text = f"{counted}; here it counts from Monday 00:00 UTC"
        if trigger.every >= DAY:
            text += ", so a restart no longer delays it"
        differences.append(Difference("phase", text, instead="write start_date to choose when it starts counting"))
    if isinstance(trigger, Date) and trigger.run_at <= now:
        text = f"it was due at {rfc3339(trigger.run_at)}, which has passed: it never runs"
        differences.append(Difference("past", text))
    if trigger.jitter:
        early = f"APScheduler starts it up to {trigger.jitter} s early or late"
        differences.append(Difference("jitter", f"{early}; here it is always late by the same delay"))
    differences += [
        Difference("reading", note, "remark") for note in trigger.warnings if not note.startswith("no start_date")
    ]
    return differences
