"""Whether the timers of a deployed set will still elapse at the right times.

Two things make them wrong although nobody changed a clock file: the years end for which some lines are written out, and
time zone data change. The jobs manifest of the set, the lines of its timers and the current instant go in; problems
come out, with the jobs and dates. The watch records them for each host, and `clocks doctor` shows them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scheduled_tasks.faults import FaultsError
from scheduled_tasks.instants import parse
from scheduled_tasks.render.names import timer_name
from scheduled_tasks.schedule import Trigger, translate
from scheduled_tasks.schedule.zone_rules import SYSTEMD_ZONES, ZoneRules, first_difference, rules_here, systemd_rules

MIN_HORIZON = timedelta(days=2 * 365)  # for which a timer must still be exact
NAMES_SHOWN = 5


@dataclass(frozen=True)
class DueTimesProblem:
    """Why some timers elapse at wrong times, now or some day.

    Attributes:
        where: what it is about: `timers`, or a time zone.
        problem: what is wrong, from when on, and which jobs it concerns.
        is_mended_by_apply: whether `clocks apply` mends it; otherwise tzdata has to be installed or upgraded.
    """

    where: str
    problem: str
    is_mended_by_apply: bool = True


def due_times_problems(
    manifest: str, lines_of: Callable[[str], tuple[str, ...]], now: datetime, systemd_zones: Path = SYSTEMD_ZONES
) -> Iterator[DueTimesProblem]:
    """Find what makes due times of a set wrong.

    Args:
        manifest: the set's jobs manifest.
        lines_of: the OnCalendar lines of one of the set's timers, by its name; called only if zone data changed.
        now: the current instant.
        systemd_zones: the folder from which systemd reads time zones.
    """
    content = json.loads(manifest)
    jobs: list[dict[str, Any]] = content["jobs"]
    ending = [job for job in jobs if (until := job.get("exact_until")) and parse(until) - now < MIN_HORIZON]
    if ending:
        first = min(parse(job["exact_until"]) for job in ending)
        yield DueTimesProblem("timers", f"exact only until {first:%Y-%m-%d}: {_names(ending)}")
    for zone, values in content.get("zones", {}).items():
        rules = ZoneRules.from_json(values)
        in_zone = [job for job in jobs if job["schedule"]["zone"] == zone]
        here = rules_here(zone, rules.first, rules.last)
        systemds = systemd_rules(zone, rules.first, rules.last, systemd_zones)
        if systemds is None:
            problem = f"systemd knows no such time zone: no timer of {_names(in_zone)} elapses"
            yield DueTimesProblem(zone, problem, is_mended_by_apply=False)
        elif since := first_difference(systemds, here, now):
            problem = f"systemd and this Python have different time zone data for times from {since:%Y-%m-%d} on"
            yield DueTimesProblem(zone, f"{problem}: {_names(in_zone)}", is_mended_by_apply=False)
        elif (since := first_difference(rules, here, now)) and (
            concerned := [job for job in in_zone if _is_concerned(job, rules, here, lines_of, now)]
        ):
            problem = f"the time zone data changed for times from {since:%Y-%m-%d} on: the timers of"
            yield DueTimesProblem(zone, f"{problem} {_names(concerned)} were computed from the old ones")


def _is_concerned(
    job: dict[str, Any], old: ZoneRules, new: ZoneRules, lines_of: Callable[[str], tuple[str, ...]], now: datetime
) -> bool:
    """Whether an apply would write other lines for a job."""
    trigger = Trigger.from_json(job["schedule"])
    bounds = (trigger.start, trigger.end, getattr(trigger, "run_at", None))
    # A clock file states them in the zone's local time; in the manifest they are instants.
    if any(bound and bound >= now and old.offset_at(bound) != new.offset_at(bound) for bound in bounds):
        return True
    try:
        timing = translate(trigger, now=datetime(old.first, 7, 1, tzinfo=UTC))  # any day of the year for which it is
    except FaultsError:  # it never fires again
        return False
    return timing.on_calendar != lines_of(timer_name(job["clock"], job["job"]))


def _names(jobs: list[dict[str, Any]]) -> str:
    names = [f"{job['clock']}/{job['job']}" for job in jobs]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
