"""Where an imported job runs at other times than it did: compared with APScheduler itself, over the nights of change.

In come APScheduler's own trigger and ours; out come differences with dates. Everywhere else the two are the same, which
the schedule room's tests show.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from scheduled_tasks.conversion_report import Difference, dates_until
from scheduled_tasks.schedule import latest_occurrence, occurrences
from scheduled_tasks.schedule.trigger import Cron, Trigger
from scheduled_tasks.schedule.zone import Shift, shifts, zone_info

AROUND = timedelta(hours=2)
CLOSE = timedelta(minutes=2)  # of a job that runs every few seconds there are enough
MANY = 3


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
    until = dates_until(trigger, now)
    nights = (shift for shift in shifts(trigger.zone, now.year, until.year) if now < shift.at <= until)
    return gathered([difference for shift in nights if (difference := _at(original, trigger, shift))])


def _at(original: Any, trigger: Cron, shift: Shift) -> Difference | None:
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
    return changed("APScheduler", before, here, trigger.zone, shift) if before != here else None


def changed(who: str, before: set[datetime], here: set[datetime], zone: str, shift: Shift) -> Difference:
    """What a night of change has of other runs than `who` had."""
    gone, new = sorted(before - here), sorted(here - before)
    kind = "gap" if shift.is_gap else "fold"
    parts = []
    if gone:
        parts.append(f"{who} ran it at {_times(gone, zone)}, and here it doesn't run then")
    if new:
        parts.append(f"here it runs at {_times(new, zone)}, and {who} did not run it then")
    local = {at.astimezone(zone_info(zone)).date() for at in (*gone, *new)}
    return Difference(kind, "; ".join(parts), dates=tuple(f"{day:%Y-%m-%d}" for day in sorted(local)))


def _times(instants: list[datetime], zone: str) -> str:
    shown = [f"{at.astimezone(zone_info(zone)):%H:%M:%S%z}" for at in instants[:MANY]]
    more = f" and {len(instants) - MANY} more times" if len(instants) > MANY else ""
    return ", ".join(shown) + more


def gathered(differences: list[Difference]) -> list[Difference]:
    """The same sentence once, with all of its dates."""
    dates: dict[tuple[str, str], list[str]] = {}
    for difference in differences:
        dates.setdefault((difference.kind, difference.text), []).extend(difference.dates)
    return [Difference(kind, text, dates=tuple(days)) for (kind, text), days in dates.items()]
