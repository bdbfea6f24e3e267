"""Write a trigger in cron's five fields, with a shell condition (the guard) for what they can't express.

Cron combines day and weekday with OR if both are restricted, and has no `last`, no week and no year. In these
cases the guard decides whether to run. What is still lost is returned as differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduled_tasks.conversion_report import Difference, shifts_to_compare
from scheduled_tasks.schedule import occurrences
from scheduled_tasks.schedule.calendar_lines import ranges
from scheduled_tasks.schedule.evaluator import is_moved
from scheduled_tasks.schedule.trigger import ALL, LAST, Cron, Interval, Trigger

HOUR, DAY, WEEK = 3600, 86400, 7 * 86400


@dataclass(frozen=True)
class CronWords:
    """Five fields, their zone and the guard; `fields` is empty if cron can't express the trigger."""

    fields: str = ""
    zone: str = ""
    guard: str = ""
    differences: tuple[Difference, ...] = ()


def cron_words(trigger: Trigger, now: datetime) -> CronWords:
    """Translate a trigger to cron."""
    if isinstance(trigger, Cron):
        return _of_cron(trigger, now)
    if isinstance(trigger, Interval):
        return _of_interval(trigger, now)
    return _refused("once", "it runs once, and cron only repeats", "run it by hand when it is due")


def _refused(kind: str, text: str, instead: str) -> CronWords:
    return CronWords(differences=(Difference(kind, text, "refused", instead=instead),))


def _of_cron(cron: Cron, now: datetime) -> CronWords:
    if len(cron.seconds) > 1:
        return _refused("seconds", "cron's smallest unit is the minute", "run it every minute, or keep it here")
    differences = []
    if cron.seconds != (0,):
        differences.append(Difference("seconds", f"it starts at second 0, not {cron.seconds[0]}"))
    guard = [*_day_guard(cron), *_bounds(cron, now)]
    plain_days = not cron.positions and not cron.last_day
    days = _numbers(cron.days, ALL["day"]) if plain_days and cron.weekdays == ALL["weekday"] else "*"
    weekdays = _numbers([(day + 1) % 7 for day in cron.weekdays], ALL["weekday"])
    fields = [
        _numbers(cron.minutes, ALL["minute"]), _numbers(cron.hours, ALL["hour"]), days,
        _numbers(cron.months, ALL["month"]), weekdays,
    ]  # fmt: skip
    differences += _nights_of_change(cron, now)
    if cron.jitter:
        differences.append(Difference("jitter", f"it starts at its time, not up to {cron.jitter} s after it"))
    return CronWords(" ".join(fields), cron.zone, " && ".join(guard), tuple(differences))


def _numbers(values: Iterable[int], everything: Sequence[int]) -> str:
    numbers = tuple(sorted(values))
    if len(numbers) == len(everything):
        return "*"
    if len(numbers) > 2 and numbers[0] == everything[0]:  # noqa: PLR2004 - two numbers are a list
        step = numbers[1] - numbers[0]
        if numbers == tuple(everything[::step]):
            return f"*/{step}"
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges(numbers))


def _day_guard(cron: Cron) -> list[str]:
    """Shell conditions on the day, beyond weekday and month; all of them must hold."""
    conditions = []
    if cron.years is not None:
        conditions.append(_one_of("%Y", cron.years))
    if cron.weeks is not None:
        conditions.append(_one_of("%-V", cron.weeks))
    choices = []
    restricted = cron.days != ALL["day"]
    if restricted and cron.days and (cron.weekdays != ALL["weekday"] or cron.positions or cron.last_day):
        choices.append(_one_of("%-d", cron.days))
    if cron.last_day:
        choices.append('[ "$(date -d "1 day" +%-d)" = 1 ]')
    for nth, weekday in cron.positions:
        on = f'[ "$(date +%u)" = {weekday + 1} ]'
        if nth == LAST:
            when = '[ "$(date -d "7 days" +%-m)" != "$(date +%-m)" ]'
        else:
            when = _one_of("%-d", range(nth * 7 - 6, nth * 7 + 1))
        choices.append(f"{{ {on} && {when}; }}")
    if restricted and choices:
        conditions.append(choices[0] if len(choices) == 1 else f"{{ {' || '.join(choices)}; }}")
    return conditions


def _one_of(form: str, numbers: Iterable[int]) -> str:
    return f'case "$(date +{form})" in {"|".join(map(str, numbers))}) true ;; *) false ;; esac'


def _bounds(trigger: Trigger, now: datetime) -> list[str]:
    conditions = []
    if trigger.start and trigger.start > now:
        conditions.append(f'[ "$(date +%s)" -ge {trigger.start.timestamp():.0f} ]')
    if trigger.end:
        conditions.append(f'[ "$(date +%s)" -le {trigger.end.timestamp() + 59:.0f} ]')
    return conditions


def _nights_of_change(cron: Cron, now: datetime) -> list[Difference]:
    """The nights of change on which cron, which ignores shifts, runs a job at other times."""
    dates: dict[bool, list[str]] = {True: [], False: []}
    around = timedelta(hours=3)
    for shift in shifts_to_compare(cron, now):
        near = occurrences(cron, after=shift.at - around, until=shift.at + around)
        touched = [run for run in near if shift.first <= run.nominal.replace(tzinfo=None) < shift.end]
        follows = cron.hours == ALL["hour"]  # cron and Kubernetes then go by real time, like this project
        if any(map(is_moved, touched)) if shift.is_gap else touched and not follows:
            dates[shift.is_gap].append(f"{shift.first:%Y-%m-%d}")
    differences = []
    if dates[True]:
        text = "its time doesn't exist that night: it may not run; here it runs after the shift"
        differences.append(Difference("gap", text, dates=tuple(dates[True])))
    if dates[False]:
        text = "its time comes twice that night: it may run twice, or lose an hour's runs; here it does neither"
        differences.append(Difference("fold", text, dates=tuple(dates[False])))
    return differences


def _of_interval(interval: Interval, now: datetime) -> CronWords:
    every, anchor = interval.every, int(interval.anchor.timestamp())
    instead = "write a cron trigger, or keep it here"
    if every % 60 or anchor % 60:
        return _refused("seconds", "cron's smallest unit is the minute", instead)
    minute, hour = anchor // 60 % 60, anchor // HOUR % 24
    if every <= HOUR and HOUR % every == 0:
        fields = f"{_numbers(range(minute % (every // 60), 60, every // 60), ALL['minute'])} * * * *"
    elif every <= DAY and DAY % every == 0 and every % HOUR == 0:
        fields = f"{minute} {_numbers(range(hour % (every // HOUR), 24, every // HOUR), ALL['hour'])} * * *"
    elif every == WEEK:
        fields = f"{minute} {hour} * * {(interval.anchor.weekday() + 1) % 7}"
    else:
        text = f"an hour, a day or a week is not a multiple of {every} s, and cron can't count"
        return _refused("interval", text, instead)
    remark = Difference("utc", "it is written in UTC, so that it follows real time here too", "remark")
    differences = (remark,) if every > HOUR else ()
    return CronWords(fields, "UTC", " && ".join(_bounds(interval, now)), differences)
