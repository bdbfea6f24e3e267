"""Convert the times of a crontab line to triggers, and find where cron differs on the nights of change.

A line becomes one `LineTrigger`, or two if it runs when day OR weekday matches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from scheduled_tasks.conversion_report import Difference, shifts_to_compare
from scheduled_tasks.faults import FaultsError
from scheduled_tasks.importers.crontab.lines import Line
from scheduled_tasks.importers.differences import AROUND, merge_equal, night_difference
from scheduled_tasks.schedule import Trigger, occurrences, read_trigger
from scheduled_tasks.schedule.calendar_lines import ranges
from scheduled_tasks.schedule.crontab import MACROS, NAMES, REBOOT, crontab_time, macro_fault
from scheduled_tasks.schedule.trigger import Cron
from scheduled_tasks.schedule.zone import Shift, zone_info

RANDOM = re.compile(r"(\d*)~(\d*)", re.ASCII)
RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "day_of_week": (0, 6)}
SECONDS = {"minute": 60, "hour": 3600}
ANACRON_DAYS = {"@daily": 1, "@weekly": 7, "@monthly": 30}


@dataclass(frozen=True)
class LineTrigger:
    """One trigger of a line: its fields to write, the parsed trigger, and differences."""

    kind: str = "cron"
    fields: tuple[tuple[str, int | str], ...] = ()
    trigger: Trigger | None = None
    differences: tuple[Difference, ...] = ()


def triggers_of(line: Line, zone: str, now: datetime) -> list[LineTrigger]:
    """The triggers of a crontab line."""
    if line.when.startswith("@") and (fault := macro_fault(line.when)):
        kind = "reboot" if line.when == REBOOT else "time"
        return [LineTrigger(differences=(Difference(kind, fault.problem, "refused", instead=fault.instead),))]
    words = MACROS.get(line.when, line.when).split()
    differences = []
    if words[0].startswith("-"):
        words[0] = words[0][1:]
        text = "the leading - kept cronie from logging it; each run is logged here"
        differences.append(Difference("syslog", text, "remark"))
    fields = dict(zip(NAMES, words, strict=True))
    jitter = _random(fields, line.text, differences)
    return [_read(part, jitter, zone, now, differences) for part in _either(fields)]


def _random(fields: dict[str, str], seed: str, differences: list[Difference]) -> int:
    """Replace each `a~b` in the fields; return the jitter in seconds that stands for it in minutes and hours."""
    jitter = 0
    for name, text in fields.items():
        match = RANDOM.fullmatch(text)
        if not match:
            continue
        low, high = RANGES[name]
        first, last = int(match[1] or low), int(match[2] or high)
        if not low <= first <= last <= high:
            continue  # the parser refuses it, as cronie does
        chosen = f"cron chose {name}={text} anew at each start"
        if name in SECONDS:
            fields[name] = str(first)
            jitter += (last - first) * SECONDS[name]
            instead = "here each host has its own delay, which stays the same"
            differences.append(Difference("random", f"{chosen}; {instead}"))
        else:
            fields[name] = str(first + crc32(seed.encode()) % (last - first + 1))
            differences.append(Difference("random", f"{chosen}; here it is {fields[name]}"))
    return jitter


def _either(fields: dict[str, str]) -> list[dict[str, str]]:
    """Day OR weekday, if both are restricted: two triggers that never fire on the same day."""
    if fields["day"].startswith("*") or fields["day_of_week"].startswith("*"):
        return [fields]
    by_day, by_weekday = fields | {"day_of_week": "*"}, fields | {"day": "*"}
    try:
        given, _ = _fields_of(by_day), _fields_of(by_weekday)
    except FaultsError:
        return [fields]  # with all of its faults
    try:
        read = read_trigger("cron", given, timezone="UTC")
    except FaultsError:  # no month has such a day
        return [by_weekday]
    days = set(read.days) if isinstance(read, Cron) else set()
    others = ranges(day for day in range(1, 32) if day not in days)
    text = ",".join(str(low) if low == high else f"{low}-{high}" for low, high in others)
    return [by_day, fields | {"day": text, "both": "1"}] if others else [by_day]


def _fields_of(fields: dict[str, str]) -> dict[str, str]:
    return crontab_time(" ".join(fields[name] for name in NAMES)).fields


def _read(fields: dict[str, str], jitter: int, zone: str, now: datetime, before: list[Difference]) -> LineTrigger:
    differences = list(before)
    stars = fields["minute"].startswith("*") or fields["hour"].startswith("*")
    days = fields.pop("day") if fields.pop("both", "") else ""
    try:
        time = crontab_time(" ".join(fields.get(name, "*") for name in NAMES))
        differences += [Difference("reading", note, "remark") for note in time.notes]
        given = time.fields | ({"day": days} if days else {})
        words: dict[str, int | str] = {
            name: int(given[name]) if given[name].isdigit() else given[name]
            for name in reversed(NAMES)
            if given[name] != "*" or name == "minute"
        }
        if jitter:
            words["jitter"] = jitter
        trigger = read_trigger("cron", words, timezone=zone)
    except FaultsError as error:
        for fault in error.faults:
            text = f"{fault.field}={fault.value}: {fault.problem}" if fault.field else fault.problem
            differences.append(Difference("time", text, "refused", instead=fault.instead))
        return LineTrigger(differences=tuple(differences))
    if isinstance(trigger, Cron) and not jitter:
        differences += cron_differences(trigger, now, stars=stars)
    order = ("month", "day", "day_of_week", "hour", "minute", "jitter")
    ordered = tuple((name, words[name]) for name in order if name in words)
    return LineTrigger("cron", ordered, trigger, tuple(differences))


def cron_differences(trigger: Cron, now: datetime, *, stars: bool) -> list[Difference]:
    """The nights of change on which cron runs a line at other times, according to Debian's cron(8).

    A line with * for minute or hour follows the wall clock. Any other line runs right after a gap that it falls into,
    and once in a fold.
    """
    differences = []
    for shift in shifts_to_compare(trigger, now):
        low, high = shift.at - AROUND, shift.at + AROUND + shift.length
        before = set(_cron_runs(trigger, shift, low, high, stars=stars))
        here = {occurrence.at for occurrence in occurrences(trigger, after=low, until=high)}
        if before != here:
            differences.append(night_difference("cron", before, here, trigger.zone, shift))
    return merge_equal(differences)


def _cron_runs(trigger: Cron, shift: Shift, low: datetime, high: datetime, *, stars: bool) -> list[datetime]:
    info, minute = zone_info(trigger.zone), timedelta(minutes=1)
    at = (low + minute).replace(second=0, microsecond=0)
    runs = []
    while at <= high:
        wall = at.astimezone(info)
        if _matches(trigger, wall) and (stars or not wall.fold):
            runs.append(at)
        at += minute
    skipped = shift.first
    while shift.is_gap and not stars and skipped < shift.end:
        if _matches(trigger, skipped):
            runs.append(shift.at)
        skipped += minute
    return runs


def _matches(trigger: Cron, wall: datetime) -> bool:
    return wall.hour in trigger.hours and wall.minute in trigger.minutes and trigger.wants(wall.date())


def anacron_triggers(line: Line, start_hour: int, zone: str, now: datetime) -> list[LineTrigger]:
    """The trigger of an anacrontab line: once in its period, its delay after the first hour in which anacron runs."""
    hour, minute = divmod(start_hour * 60 + line.delay, 60)
    if not line.when.isdigit() and line.when not in ANACRON_DAYS:
        return [LineTrigger(differences=(Difference("time", f"anacron has no period {line.when}", "refused"),))]
    days = int(line.when) if line.when.isdigit() else ANACRON_DAYS[line.when]
    if not days:
        text = "a period of 0 days: anacron runs it whenever it starts"
        return [LineTrigger(differences=(Difference("time", text, "refused", instead="write 1"),))]
    fields: dict[str, int | str] = {"hour": hour % 24, "minute": minute}
    if line.when == "@monthly":
        fields = {"day": 1, **fields}
    elif days == 7:  # noqa: PLR2004 - a week
        fields = {"day_of_week": "mon", **fields}
    elif days != 1:
        start = now.astimezone(zone_info(zone)).replace(hour=hour % 24, minute=minute, second=0, microsecond=0)
        fields = {"days": days, "start_date": start.replace(tzinfo=None).isoformat(sep=" ")}
    kind = "interval" if "days" in fields else "cron"
    text = "anacron counts its days from the last run; here it runs at this time, or once after the machine was off"
    trigger = read_trigger(kind, fields, timezone=zone)
    return [LineTrigger(kind, tuple(fields.items()), trigger, (Difference("anacron", text),))]
