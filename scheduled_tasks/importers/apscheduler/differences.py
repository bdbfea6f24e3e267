"""Find where an imported job runs at other times than under APScheduler: compare both on the nights of change.

The input is APScheduler's own trigger and ours, the output differences with dates. At all other times the two agree,
as tests/unit/schedule shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from scheduled_tasks.conversion_report import Difference, shifts_to_compare
from scheduled_tasks.schedule import latest_occurrence, occurrences
from scheduled_tasks.schedule.trigger import Cron, Trigger
from scheduled_tasks.schedule.zone import Shift, zone_info

AROUND = timedelta(hours=2)
CLOSE = timedelta(minutes=2)  # for a job that runs every few seconds: enough runs to compare
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
    first = [occurrence.at for occurrence in islice(occurrences(trigger, after=shift.at - AROUND), 2)]
    is_dense = len(first) > 1 and first[1] - first[0] < timedelta(minutes=1)
    around = CLOSE if is_dense else AROUND
    low, high = shift.at - around, shift.at + around + shift.length
    # APScheduler steps from run to run, and may step over one that follows the shift by days: look two runs beyond.
    high = max([high, *(occurrence.at for occurrence in islice(occurrences(trigger, after=high), 2))])
    known = latest_occurrence(trigger, at_or_before=low)
    previous = known.at.astimezone(zone_info(trigger.zone)) if known else None
    before = set(takewhile(lambda at: at <= high, fire_times(original, low, previous)))
    here = {occurrence.at for occurrence in occurrences(trigger, after=known.at if known else low, until=high)}
    return night_difference("APScheduler", before, here, trigger.zone, shift) if before != here else None


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
