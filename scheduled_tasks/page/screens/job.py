"""A job: its schedule in words, its next runs, its last slots, its options, and its schedule as it was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.operate import status
from scheduled_tasks.page.charts.strip import numbers, strip
from scheduled_tasks.page.reads.changes import changes_of_job
from scheduled_tasks.page.reads.slots import last_slots, usual_duration
from scheduled_tasks.page.reads.troubles import troubles
from scheduled_tasks.page.view import View, viewing
from scheduled_tasks.quantities import duration
from scheduled_tasks.schedule.description import describe
from scheduled_tasks.schedule.evaluator import occurrences
from scheduled_tasks.schedule.trigger import Trigger
from scheduled_tasks.schedule.zone import is_fixed, shifts

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from scheduled_tasks.page.reads.catalog import CatalogJob

SLOTS = 200
NEXT_RUNS = 10
DEPLOYMENTS = 20
CHANGES = 20
# Options of the jobs manifest, as clock files call them, in the order of the screen.
OPTIONS = {
    "flag": "feature flag",
    "timeout": "time limit", "grace": "may start late by", "jitter": "random delay", "overlap": "if still running",
    "catch_up": "catches up", "catch_up_after_pause": "catches up after a pause", "per_host": "runs on each host",
    "retries": "retries", "retry_delay": "delay before a retry", "alert_after": "alert after",
    "expected_duration": "expected duration", "expected_at_least": "expected at least", "notify": "notices go to",
}  # fmt: skip
SECONDS = {"timeout", "grace", "jitter", "retry_delay", "expected_duration", "expected_at_least"}


class Deployment(NamedTuple):
    """A job's schedule in a time, on some hosts, and what its deployment changed beside it."""

    hosts: str
    schedule: str
    changed: list[str]
    valid_from: datetime
    valid_until: datetime | None


class NightOfChange(NamedTuple):
    """The next shift of a zone, and what a job does in that night."""

    at: datetime
    forward: bool
    hours: str


def job(request: Request) -> Response:
    """The screen."""
    with viewing(request) as view:
        clock, name = request.path_params["clock"], request.path_params["job"]
        known = view.catalog.jobs.get((clock, name))
        marks = last_slots(view.connection, clock, name, view.now, SLOTS)
        past = _deployments(view, clock, name)
        if known is None and not marks and not past:
            return view.render("missing", status=404, title="No such job", what=f"job {clock}/{name}")
        states = status.jobs(view.connection, view.now, clock, name)
        usual = usual_duration(marks)
        return view.render(
            "job",
            title=f"{clock}/{name}",
            clock=clock,
            name=name,
            job=known,
            state=states[0] if states else None,
            wrong=troubles(view.connection, view.now, view.times.zone_name, clock, name),
            schedule=describe(known.trigger) if known else "",
            next_runs=_next_runs(known, view.now),
            night=_night(known, view.now),
            strip=strip(marks, usual),
            numbers=numbers(marks),
            marks=marks[::-1],
            usual=usual,
            memory=max((mark.memory_peak for mark in marks if mark.memory_peak), default=None),
            options=_options(known.deployed[0].options) if known else [],
            source=_source(view, clock, name),
            deployments=past,
            changes=changes_of_job(view.connection, view.now, CHANGES, (clock, name), known.flag if known else ""),
            unit=f"clock-{clock}-{name}.service",
        )


def _source(view: View, clock: str, name: str) -> str:
    """File and line of its `add_job` call; "" if no host has reported it."""
    rows = view.connection.execute(
        "SELECT source FROM deployed_job WHERE clock = %s AND job = %s AND valid_until IS NULL AND source IS NOT NULL"
        " ORDER BY id DESC LIMIT 1",
        [clock, name],
    ).fetchall()
    return rows[0][0] if rows else ""


def _next_runs(job: CatalogJob | None, now: datetime) -> list[datetime]:
    if job is None or not job.is_timed:
        return []
    return [occurrence.at for occurrence in islice(occurrences(job.trigger, after=now), NEXT_RUNS)]


def _night(job: CatalogJob | None, now: datetime) -> NightOfChange | None:
    """The next night of change of the job's zone, if there is one within a year."""
    if job is None or is_fixed(job.trigger.zone):
        return None
    for shift in shifts(job.trigger.zone, now.year, now.year + 1):
        if now < shift.at <= now + timedelta(days=366):
            length = shift.after - shift.before
            return NightOfChange(shift.at, length > timedelta(), duration(abs(length.total_seconds())))
    return None


def _options(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(words, _shown(name, options[name])) for name, words in OPTIONS.items() if options.get(name)]


def _shown(name: str, value: Any) -> str:
    if not value:
        return "none" if value is None else "no"
    if name in SECONDS:
        return duration(float(value))
    if name == "alert_after":
        return f"{value} bad slots in a row"
    return "yes" if value is True else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _deployments(view: View, clock: str, name: str) -> list[Deployment]:
    """The schedule as it was, the last one first; equal on several hosts, once."""
    rows = view.connection.execute(
        "SELECT string_agg(DISTINCT host, ', ' ORDER BY host), task, schedule, options, min(valid_from), valid_until"
        " FROM (SELECT * FROM deployed_job WHERE clock = %s AND job = %s ORDER BY id DESC LIMIT %s) AS last"
        " GROUP BY schedule, task, options, valid_until, date_trunc('hour', valid_from)"
        " ORDER BY valid_until DESC NULLS FIRST, min(valid_from) DESC",
        [clock, name, DEPLOYMENTS * 5],
    ).fetchmany(DEPLOYMENTS)
    found = []
    for (hosts, task, schedule, options, *valid), before in zip_longest(rows, rows[1:]):
        changed = _changed({"task": before[1], **before[3]}, {"task": task, **options}) if before else []
        found.append(Deployment(hosts, describe(Trigger.from_json(schedule)), changed, *valid))
    return found


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What changed beside the schedule, each in a few words."""
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return [
        f"{OPTIONS.get(name, name.replace('_', ' '))}:"
        f" {_shown(name, before.get(name))} → {_shown(name, after.get(name))}"
        for name in changed
    ]
