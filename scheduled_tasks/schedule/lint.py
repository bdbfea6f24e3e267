"""The linter of schedules: what will surprise somebody, with exact dates.

In come the jobs (name, trigger, timeout in seconds or None) and the present instant; out come warnings, as values.
It asks the evaluator and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise

from scheduled_tasks.schedule.evaluator import Occurrence, occurrences, resolve_days
from scheduled_tasks.schedule.trigger import ALL, Cron, Interval, Trigger
from scheduled_tasks.schedule.zone import Shift, shifts

Job = tuple[str, Trigger, float | None]
CROWD = 5  # so many starts in one second are worth a word
LOOKED_AT = 400  # runs of one job, for the shortest distance between two


@dataclass(frozen=True)
class ScheduleWarning:
    """One surprise: its kind, the jobs it is about, when it happens (UTC instants), and what to do."""

    kind: str
    jobs: tuple[str, ...]
    message: str
    at: tuple[datetime, ...] = ()
    instead: str = ""


def schedule_warnings(jobs: Iterable[Job], *, now: datetime, days: int = 366) -> list[ScheduleWarning]:
    """Everything that will surprise within so many days, most urgent kinds first."""
    known = list(jobs)
    now = now.astimezone(UTC)
    until = now + timedelta(days=days)
    found = [ScheduleWarning("reading", (name,), note) for name, trigger, _ in known for note in trigger.warnings]
    for name, trigger, timeout in known:
        found += _overlap(name, trigger, timeout, now, until)
    found += _crowds(known, now)
    moved = [
        each for name, trigger, _ in known if isinstance(trigger, Cron) for each in _moved(name, trigger, now, until)
    ]
    return found + _told_once(moved)


def _told_once(warnings: Iterable[ScheduleWarning]) -> list[ScheduleWarning]:
    """What is the same for several jobs, once, with all their names; by date."""
    jobs: dict[ScheduleWarning, list[str]] = defaultdict(list)
    for each in warnings:
        jobs[replace(each, jobs=())].extend(each.jobs)
    return sorted((replace(each, jobs=tuple(names)) for each, names in jobs.items()), key=lambda each: each.at)


def _moved(name: str, trigger: Cron, now: datetime, until: datetime) -> list[ScheduleWarning]:
    """The next gap and the next fold that touch the trigger's runs."""
    found: dict[bool, ScheduleWarning] = {}
    for shift in shifts(trigger.zone, now.year, until.year):
        if now < shift.at <= until and shift.is_gap not in found:
            warning = _at_shift(name, trigger, shift)
            if warning:
                found[shift.is_gap] = warning
    return sorted(found.values(), key=lambda each: each.at)


def _at_shift(name: str, trigger: Cron, shift: Shift) -> ScheduleWarning | None:
    wanted = [(day, hour) for day, hour in shift.hours if hour in trigger.hours and trigger.wants(day)]
    if not wanted:
        return None
    runs = [each for each in _runs_of(trigger, shift) if trigger.within(each.at)]
    touched = [each for each in runs if shift.first <= each.nominal.replace(tzinfo=None) < shift.end]
    if not touched:
        return None
    at = tuple(each.at for each in touched[:3])
    wall = touched[0].nominal
    if shift.is_gap:
        shown = touched[0].at.astimezone(wall.tzinfo)
        return ScheduleWarning(
            "gap", (name,),
            f"{wall:%H:%M} does not exist on {wall:%a %Y-%m-%d} in {trigger.zone}: the run is at {shown:%H:%M}", at,
        )  # fmt: skip
    if all(hour in trigger.repeating_hours for _, hour in wanted):
        return None  # it follows the clock: nothing is moved, nothing is left out
    return ScheduleWarning(
        "fold", (name,),
        f"{wall:%H:%M} comes twice on {wall:%a %Y-%m-%d} in {trigger.zone}: the job runs the first time only", at,
    )  # fmt: skip


def _runs_of(trigger: Cron, shift: Shift) -> list[Occurrence]:
    days: set[date] = {day for day, _ in shift.hours}
    return resolve_days(trigger, min(days), max(days))


def _overlap(
    name: str, trigger: Trigger, timeout: float | None, now: datetime, until: datetime
) -> list[ScheduleWarning]:
    """Two runs nearer to each other than the job may take: systemd then starts the second one late, or not."""
    if not timeout:
        return []
    runs = [each.at for each in islice(occurrences(trigger, after=now, until=until), LOOKED_AT)]
    near = [(late - early, early) for early, late in pairwise(runs) if (late - early).total_seconds() < timeout]
    if not near:
        return []
    distance, at = min(near)
    return [
        ScheduleWarning(
            "overlap", (name,),
            f"a run may take {timeout:g} s, and the next is due {distance.total_seconds():g} s after the one at "
            f"{at:%Y-%m-%d %H:%M:%S} UTC; one that is due while the last still runs is not started",
            (at,),
            "a shorter timeout, or fewer runs",
        )
    ]  # fmt: skip


def _crowds(jobs: Sequence[Job], now: datetime) -> list[ScheduleWarning]:
    """Jobs that start in the same second of the next day, and where they would have more room."""
    starts: dict[datetime, list[str]] = defaultdict(list)
    load: dict[int, int] = defaultdict(int)  # minute of the day, in UTC → starts
    end = now + timedelta(days=1)
    for name, trigger, _ in jobs:
        if isinstance(trigger, Cron) and len(trigger.seconds) == len(ALL["second"]):
            continue  # the reading says that already
        if isinstance(trigger, Interval) and trigger.every < 60:  # noqa: PLR2004 - a minute has seconds
            continue
        for each in occurrences(trigger, after=now, until=end):
            starts[each.at].append(name)
            load[each.at.hour * 60 + each.at.minute] += 1
    seen: set[tuple[str, ...]] = set()
    found = []
    for at, names in sorted(starts.items()):
        together = tuple(names)
        if len(names) < CROWD or together in seen:
            continue
        seen.add(together)
        found.append(
            ScheduleWarning(
                "crowd", together, f"{len(names)} jobs start in the same second, next at {at:%Y-%m-%d %H:%M:%S} UTC",
                (at,), _spread(at, together, load),
            )
        )  # fmt: skip
    return found


def _spread(at: datetime, names: tuple[str, ...], load: dict[int, int]) -> str:
    """The quietest minutes of the quarter of an hour that follows, one for each job, in turn."""
    start = at.hour * 60 + at.minute
    minutes = sorted(range(start, start + 15), key=lambda each: (load[each % 1440], each))
    places = [(name, minutes[n % len(minutes)] - start) for n, name in enumerate(names[1:6], 0)]
    moved = ", ".join(f"{name} by {by} min" for name, by in places if by)
    more = f", and so on for the other {len(names) - 6}" if len(names) > 6 else ""  # noqa: PLR2004
    return f"leave {names[0]}; later {moved}{more}; or jitter=60 for each"
