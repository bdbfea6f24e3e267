"""Warn of what one trigger does that will surprise somebody, with exact dates.

A trigger, the current instant and the end of the period to look at go in; `ScheduleWarning`s come out. All times come
from the evaluator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, islice, pairwise

from scheduled_tasks.faults import FaultsError
from scheduled_tasks.instants import in_sentence
from scheduled_tasks.schedule.description import MONTHS, ORDINALS, WEEKDAYS
from scheduled_tasks.schedule.evaluator import Occurrence, occurrences, resolve_days, resolve_hour
from scheduled_tasks.schedule.translation import translate
from scheduled_tasks.schedule.trigger import FEBRUARY, WEEK, Cron, Interval, Trigger, month_length
from scheduled_tasks.schedule.zone import DAY, Shift, shifts, shifts_of_year, zone_info

MAX_RUNS = 400  # runs of a job that are looked at: more than a year of days
YEAR = timedelta(days=366)
LEAP_YEAR = 2000
FIFTH = 5
RARE_WEEK = 53
MANY_LINES = 20  # 50 ms at each reload


@dataclass(frozen=True)
class ScheduleWarning:
    """A warning: its kind, the jobs it is about, when it happens (UTC instants), and what to do."""

    kind: str
    jobs: tuple[str, ...]
    message: str
    at: tuple[datetime, ...] = ()
    instead: str = ""


def trigger_warnings(name: str, trigger: Trigger, now: datetime, until: datetime) -> Iterator[ScheduleWarning]:
    """The warnings about a job's trigger alone, except for the nights of change."""
    yield from (ScheduleWarning("reading", (name,), text) for text in trigger.warnings)
    yield from _far(name, trigger, now, until)
    runs = [run.at for run in islice(occurrences(trigger, after=now, until=until), MAX_RUNS)]
    distances = [late - early for early, late in pairwise(runs)]
    if trigger.jitter and distances and trigger.jitter >= (shortest := min(distances).total_seconds()):
        message = f"jitter={trigger.jitter} can delay a run past the next one, which is due {shortest:g} s later"
        yield ScheduleWarning("jitter", (name,), message, (), f"write a jitter below {shortest:g}")
    if isinstance(trigger, Interval):
        yield from _drift(name, trigger, now, until)
    if isinstance(trigger, Cron):
        yield from _left_out(name, trigger)
        yield from _cost(name, trigger, now)


def _cost(name: str, cron: Cron, now: datetime) -> Iterator[ScheduleWarning]:
    """Many lines in a time zone: systemd takes milliseconds for each at every daemon-reload of the host."""
    try:
        lines = translate(cron, now=now).on_calendar
    except FaultsError:  # it never runs again, which is a warning of its own
        return
    in_zone = sum(not line.endswith(" UTC") for line in lines)
    if in_zone > MANY_LINES:
        message = f"its timer has {in_zone} lines in {cron.zone}, and each slows down every daemon-reload of the host"
        instead = "an hour that the zone's clock changes don't touch, or timezone='UTC'"
        yield ScheduleWarning("cost", (name,), message, (), instead)


def _far(name: str, trigger: Trigger, now: datetime, until: datetime) -> Iterator[ScheduleWarning]:
    """A next run that is more than a year away, or does not exist."""
    run = next(occurrences(trigger, after=now), None)
    if run is None:
        yield ScheduleWarning("over", (name,), "it never runs again", (), "remove the job, or give a later date")
    elif run.at > max(until, now + YEAR):
        years = (run.at - now) / timedelta(days=365.2425)
        shown = in_sentence(run.at, zone_info(trigger.zone), trigger.zone)
        yield ScheduleWarning("far", (name,), f"the next run is in {years:.1f} years, at {shown}", (run.at,))


def _drift(name: str, trigger: Interval, now: datetime, until: datetime) -> Iterator[ScheduleWarning]:
    """Whole days of real time: people have one time of day in mind, and it changes with the clock."""
    if trigger.every % DAY.total_seconds():
        return
    zone = zone_info(trigger.zone)
    runs = [run.nominal for run in islice(occurrences(trigger, after=now, until=until), MAX_RUNS)]
    usual = trigger.start.astimezone(zone) if trigger.start else runs[0] if runs else None
    moved = next((run for run in runs if usual and run.time() != usual.time()), None)
    if not usual or not moved:
        return
    days = trigger.every // int(DAY.total_seconds())
    weekday = f"day_of_week='{WEEKDAYS[usual.weekday()][:3].lower()}', " if days == WEEK else ""
    yield ScheduleWarning(
        "drift", (name,),
        f"it counts real time: on {moved:%a %Y-%m-%d} it runs at {moved:%H:%M}, not at {usual:%H:%M}, by the clock of "
        f"{trigger.zone}",
        (moved.astimezone(now.tzinfo),),
        f"write 'cron' with {weekday}hour={usual.hour}, minute={usual.minute} to keep the time of day"
        if days in {1, WEEK} else "write a 'cron' trigger to keep the time of day",
    )  # fmt: skip


def _left_out(name: str, trigger: Cron) -> Iterator[ScheduleWarning]:
    """Months and years that have no such day, so that the job does not run in them."""
    if trigger.weeks == (RARE_WEEK,):
        yield ScheduleWarning("months", (name,), "week=53 leaves out most years, which have 52 weeks")
    if trigger.last_day or any(nth != FIFTH for nth, _ in trigger.positions):
        return
    if trigger.positions and not trigger.days:
        _, weekday = trigger.positions[0]
        message = f"most months have no {ORDINALS[FIFTH]} {WEEKDAYS[weekday]}: it does not run in them"
        day = f"write day='last {WEEKDAYS[weekday][:3].lower()}' for the last one of each month"
        yield ScheduleWarning("months", (name,), message, (), day)
    if not trigger.days or trigger.positions:
        return
    first = trigger.days[0]
    short = [MONTHS[month] for month in trigger.months if month_length(LEAP_YEAR, month) < first]
    if FEBRUARY in trigger.months and first == month_length(LEAP_YEAR, FEBRUARY):
        short.append(f"{MONTHS[FEBRUARY]} of most years")
    if short:
        names = short[0] if len(short) == 1 else f"{', '.join(short[:-1])} and {short[-1]}"
        yield ScheduleWarning(
            "months", (name,), f"it does not run in {names}: there is no day {first}", (),
            "write day='last' for the last day of each month",
        )  # fmt: skip


def nights_of_change(name: str, trigger: Cron, now: datetime, until: datetime) -> list[ScheduleWarning]:
    """Warn of the next gap and the next fold that affect the trigger's runs."""
    warnings: dict[bool, list[ScheduleWarning]] = {}
    for shift in shifts(trigger.zone, now.year, until.year):
        if now < shift.at <= until and not warnings.get(shift.is_gap):
            warnings[shift.is_gap] = list(_at_shift(name, trigger, shift))
    return sorted(chain.from_iterable(warnings.values()), key=lambda warning: warning.at)


def _at_shift(name: str, trigger: Cron, shift: Shift) -> Iterator[ScheduleWarning]:
    matching = [(day, hour) for day, hour in shift.hours if hour in trigger.hours and trigger.wants(day)]
    if matching and all(hour in trigger.repeating_hours for _, hour in matching):
        yield from _uneven(name, trigger, shift)
    elif shift.is_gap:
        runs = _runs_around(trigger, shift)
        if moved := [run for run in runs if _within(run, shift)]:
            yield _gap(name, trigger, [run.nominal for run in moved], moved, "the run is at", "the runs are at")
        if both := [run for run in runs if stands_for(trigger, run)]:
            walls = sorted(nominal for run in both for nominal in stands_for(trigger, run))
            yield _gap(name, trigger, walls, both, "it is one run with", "they are one run each with")
    elif affected := [run for run in _runs_around(trigger, shift) if _within(run, shift)]:
        wall = affected[0].nominal
        at = tuple(run.at for run in affected[:3])
        message = f"{wall:%H:%M} occurs twice on {wall:%a %Y-%m-%d} in {trigger.zone}: the job runs only the first time"
        yield ScheduleWarning("fold", (name,), message, at)


def _gap(  # noqa: PLR0913, PLR0917 - a sentence has these parts
    name: str, trigger: Cron, walls: list[datetime], runs: list[Occurrence], one: str, several: str
) -> ScheduleWarning:
    day = f"on {walls[0]:%a %Y-%m-%d} in {trigger.zone}"
    shown = _from_to([run.at.astimezone(walls[0].tzinfo) for run in runs])
    message = (
        f"{_from_to(walls)} does not exist {day}: {one} {shown}"
        if len(walls) == 1
        else f"{_from_to(walls)} do not exist {day}: {several} {shown}"
    )
    return ScheduleWarning("gap", (name,), message, tuple(run.at for run in runs[:3]))


def _from_to(walls: list[datetime]) -> str:
    return f"{walls[0]:%H:%M}" if len(walls) == 1 else f"{walls[0]:%H:%M} to {walls[-1]:%H:%M}"


def _runs_around(trigger: Cron, shift: Shift) -> list[Occurrence]:
    first, last = shift.block
    return [run for run in resolve_days(trigger, first, last) if trigger.within(run.at)]


def _within(run: Occurrence, shift: Shift) -> bool:
    return shift.first <= run.nominal.replace(tzinfo=None) < shift.end


def stands_for(trigger: Trigger, run: Occurrence) -> list[datetime]:
    """The nominal times that a gap moved onto this run's own, so that the job runs once for both."""
    if not isinstance(trigger, Cron):
        return []
    return [
        moved.nominal
        for shift in shifts_of_year(trigger.zone, run.at.year)
        if shift.is_gap and shift.at <= run.at < shift.at + shift.length
        for day, hour in shift.hours
        if hour in trigger.hours and trigger.wants(day)
        for moved in resolve_hour(trigger, day, hour)
        if moved.at == run.at and moved.nominal != run.nominal and _within(moved, shift)
    ]


def _uneven(name: str, trigger: Cron, shift: Shift) -> Iterator[ScheduleWarning]:
    """A shift of less than an hour: an hourly run is then more or less than an hour from the next."""
    once = replace(trigger, seconds=trigger.seconds[:1])
    every_day = Cron(zone=trigger.zone, hours=once.hours, minutes=once.minutes, seconds=once.seconds)
    usual = [distance for distance, _ in _distances(every_day, shift.at - DAY)]
    unusual = [
        (distance, at) for distance, at in _distances(once, shift.at)
        if usual and not min(usual) <= distance <= max(usual)
    ]  # fmt: skip
    if not unusual:
        return
    distance, at = unusual[0]
    wall = at.astimezone(zone_info(trigger.zone))
    ordinary = max(usual) if distance > max(usual) else min(usual)
    yield ScheduleWarning(
        "gap" if shift.is_gap else "fold", (name,),
        f"the clock of {trigger.zone} moves by {_minutes(shift.length)} on {wall:%a %Y-%m-%d}: the run at {wall:%H:%M} "
        f"is {_minutes(distance)} after the one before, not {ordinary.total_seconds() / 60:g}",
        (at,),
    )  # fmt: skip


def _distances(trigger: Cron, around: datetime) -> list[tuple[timedelta, datetime]]:
    reach = timedelta(hours=3)
    runs = [run.at for run in occurrences(trigger, after=around - reach, until=around + reach)]
    return [(late - early, late) for early, late in pairwise(runs)]


def _minutes(length: timedelta) -> str:
    return f"{length.total_seconds() / 60:g} minutes"
