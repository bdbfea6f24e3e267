"""Find where an imported job runs at other times than under APScheduler: compare both on the nights of change.

The input is APScheduler's own trigger and ours, the output differences with dates. At all other times the two agree,
as tests/unit/schedule shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from scheduled_tasks.conversion_report import Difference, shifts_to_compare
from scheduled_tasks.schedule import latest_occurrence, occurrences
from scheduled_tasks.schedule.evaluator import resolve_hour
from scheduled_tasks.schedule.trigger import Cron, Trigger
from scheduled_tasks.schedule.zone import DAY, Shift, zone_info

AROUND = timedelta(hours=2)
CLOSE = timedelta(minutes=2)  # for a job that runs every few seconds: enough runs to compare
HOUR = timedelta(hours=1)
RunsBetween = Callable[[Cron, datetime, datetime], list[datetime]]
MAX_TIMES = 3  # that are listed


def fire_times(trigger: Any, after: datetime, previous: datetime | None) -> Iterator[datetime]:
    """APScheduler's runs after an instant, in UTC: each computed from the one before, the first from `previous`."""
    at = trigger.get_next_fire_time(previous, previous or after + timedelta(microseconds=1))
    while at is not None:
        yield at.astimezone(UTC)
        at = trigger.get_next_fire_time(at, at)


def find_differences(original: Any, trigger: Trigger, now: datetime) -> list[Difference]:
    """What differs on the nights of change within two years, and within the next hundred runs."""
    if not isinstance(trigger, Cron):
        return []
    nights = shifts_to_compare(trigger, now)
    return merge_equal([difference for shift in nights if (difference := _difference_on(original, trigger, shift))])


def _difference_on(original: Any, trigger: Cron, shift: Shift) -> Difference | None:
    is_dense = len(trigger.seconds) > 1 and shift.length <= HOUR
    runs_of = _runs_of_hours if is_dense else _runs_of_days
    if is_dense:  # what differs differs at both ends: thousands of runs between them are compared only then
        ends = (shift.at, shift.at + shift.length)
        if all(_runs_that_differ(original, trigger, end - CLOSE, end + CLOSE, runs_of) is None for end in ends):
            return None
    around = CLOSE if is_dense else AROUND
    runs = _runs_that_differ(original, trigger, shift.at - around, shift.at + around + shift.length, runs_of)
    return night_difference("APScheduler", *runs, trigger.zone, shift) if runs else None


def _runs_that_differ(
    original: Any, trigger: Cron, low: datetime, high: datetime, runs_of: RunsBetween
) -> tuple[set[datetime], set[datetime]] | None:
    """APScheduler's runs between two instants and ours; None if they are the same."""
    # APScheduler steps from run to run, and may step over one that follows the shift by days: look two runs beyond.
    beyond = runs_of(trigger, high, high + CLOSE)[:2]
    if len(beyond) < 2:  # noqa: PLR2004 - two runs
        beyond = [occurrence.at for occurrence in islice(occurrences(trigger, after=high), 2)]
    high = max([high, *beyond])
    just_before = runs_of(trigger, low - CLOSE, low)
    known = latest_occurrence(trigger, at_or_before=low) if not just_before else None
    last = just_before[-1] if just_before else known.at if known else None
    previous = last.astimezone(zone_info(trigger.zone)) if last else None
    before = set(takewhile(lambda at: at <= high, fire_times(original, low, previous)))
    here = set(runs_of(trigger, last or low, high))
    return (before, here) if before != here else None


def _runs_of_days(trigger: Cron, low: datetime, high: datetime) -> list[datetime]:
    """Our runs after an instant, up to another."""
    return [occurrence.at for occurrence in occurrences(trigger, after=low, until=high)]


def _runs_of_hours(trigger: Cron, low: datetime, high: datetime) -> list[datetime]:
    """The same, from the hours around them: a day can have 86,400 runs, and occurrences are of whole days."""
    if high - low > DAY:
        return _runs_of_days(trigger, low, high)
    info = zone_info(trigger.zone)
    wall, last = (at.astimezone(info).replace(tzinfo=None) for at in (low - HOUR, high + HOUR))
    runs: set[datetime] = set()
    while wall <= last + HOUR:
        if wall.hour in trigger.hours and trigger.wants(wall.date()):
            runs |= {occurrence.at for occurrence in resolve_hour(trigger, wall.date(), wall.hour)}
        wall += HOUR
    return sorted(at for at in runs if low < at <= high)


def night_difference(origin: str, before: set[datetime], here: set[datetime], zone: str, shift: Shift) -> Difference:
    """The runs of a night of change that differ from the origin's, "APScheduler" or "cron"."""
    gone, new = sorted(before - here), sorted(here - before)
    parts = []
    if gone:
        parts.append(f"{origin} ran it at {_times(gone, zone)}, and here it doesn't run then")
    if new:
        parts.append(f"here it runs at {_times(new, zone)}, and {origin} did not run it then")
    local = {at.astimezone(zone_info(zone)).date() for at in (*gone, *new)}
    dates = tuple(day.isoformat() for day in sorted(local))
    return Difference("gap" if shift.is_gap else "fold", "; ".join(parts), dates=dates)


def _times(instants: list[datetime], zone: str) -> str:
    shown = [f"{at.astimezone(zone_info(zone)):%H:%M:%S%z}" for at in instants[:MAX_TIMES]]
    more = f" and {len(instants) - MAX_TIMES} more times" if len(instants) > MAX_TIMES else ""
    return ", ".join(shown) + more


def merge_equal(differences: list[Difference]) -> list[Difference]:
    """Merge the differences that have the same text into one with all dates."""
    dates: dict[tuple[str, str], list[str]] = {}
    for difference in differences:
        dates.setdefault((difference.kind, difference.text), []).extend(difference.dates)
    return [Difference(kind, text, dates=tuple(days)) for (kind, text), days in dates.items()]
