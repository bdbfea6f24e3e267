"""A trigger in cron's five fields, with a guard for what those can't say.

In comes a trigger; out come the fields, a shell condition ("" where none is needed) that holds on the days that are
wanted, and differences. Cron ORs day and weekday where both are restricted, and knows no `last`, no week, no year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduled_tasks.conversion_report import Difference, dates_until
from scheduled_tasks.schedule import occurrences
from scheduled_tasks.schedule.calendar_lines import ranges
from scheduled_tasks.schedule.evaluator import is_moved
from scheduled_tasks.schedule.trigger import ALL, LAST, Cron, Interval, Trigger
from scheduled_tasks.schedule.zone import shifts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOUR, DAY, WEEK = 3600, 86400, 7 * 86400


@dataclass(frozen=True)
class CronWords:
    """Five fields, the zone they are in, the guard; `fields` is empty where cron can't say it."""

    fields: str = ""
    zone: str = ""
    guard: str = ""
    differences: tuple[Difference, ...] = ()


def cron_words(trigger: Trigger, now: datetime) -> CronWords:
    """The trigger as cron takes it."""
    if isinstance(trigger, Cron):
        return _of_cron(trigger, now)
    if isinstance(trigger, Interval):
        return _of_interval(trigger, now)
    return _refused("once", "it runs once, and cron knows repetitions alone", "run it by hand when it is due")


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
    differences += _nights(cron, now)
    if cron.jitter:
        differences.append(Difference("jitter", f"it starts at its time, not up to {cron.jitter} s after it"))
    return CronWords(" ".join(fields), cron.zone, " && ".join(guard), tuple(differences))


def _numbers(values: Iterable[int], everything: Sequence[int]) -> str:
    numbers = tuple(sorted(values))
    if len(numbers) == len(everything):
        return "*"
    if len(numbers) > 2 and numbers[0] == everything[0]:  # noqa: PLR2004 - two are a list
        step = numbers[1] - numbers[0]
        if numbers == tuple(everything[::step]):
            return f"*/{step}"
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges(numbers))


def _day_guard(cron: Cron) -> list[str]:
    """What the day has to be beyond weekday and month, as shell conditions that all have to hold."""
    found = []
    if cron.years is not None:
        found.append(_one_of("%Y", cron.years))
    if cron.weeks is not None:
        found.append(_one_of("%-V", cron.weeks))
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
        found.append(choices[0] if len(choices) == 1 else f"{{ {' || '.join(choices)}; }}")
    return found


def _one_of(form: str, numbers: Iterable[int]) -> str:
    return f'case "$(date +{form})" in {"|".join(map(str, numbers))}) true ;; *) false ;; esac'


def _bounds(trigger: Trigger, now: datetime) -> list[str]:
    found = []
    if trigger.start and trigger.start > now:
        found.append(f'[ "$(date +%s)" -ge {trigger.start.timestamp():.0f} ]')
    if trigger.end:
        found.append(f'[ "$(date +%s)" -le {trigger.end.timestamp() + 59:.0f} ]')
    return found


def _nights(cron: Cron, now: datetime) -> list[Difference]:
    """The nights in which it matters that cron knows nothing of them."""
    dates: dict[bool, list[str]] = {True: [], False: []}
    until = dates_until(cron, now)
    for shift in shifts(cron.zone, now.year, until.year):
        if not now < shift.at <= until:
            continue
        around = timedelta(hours=3)
        found = occurrences(cron, after=shift.at - around, until=shift.at + around)
        touched = [each for each in found if shift.first <= each.nominal.replace(tzinfo=None) < shift.end]
        follows = cron.hours == ALL["hour"]  # cron and Kubernetes go by real time there, as is done here
        if any(map(is_moved, touched)) if shift.is_gap else touched and not follows:
            dates[shift.is_gap].append(f"{shift.first:%Y-%m-%d}")
    differences = []
    if dates[True]:
        text = "its time doesn't exist that night: it may not run, where here it runs after the shift"
        differences.append(Difference("gap", text, dates=tuple(dates[True])))
    if dates[False]:
        text = "its time comes twice that night: it may run twice, or lose an hour's runs, where here it does neither"
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
        return _refused("interval", f"{every} s go evenly into no hour, day or week, and cron counts nothing", instead)
    text = ("it is said in UTC, so that it is of real time too",) if every > HOUR else ()
    differences = tuple(Difference("utc", each, "remark") for each in text)
    return CronWords(fields, "UTC", " && ".join(_bounds(interval, now)), differences)
