"""A clock as JSON values and back: how the child process that reads a clock file passes it on.

Nothing is lost: what is read back equals what was written. jobs.json has less, since runs and programs read it.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from scheduled_tasks.clock import ClockSpec, Job
from scheduled_tasks.instants import iso8601, parse
from scheduled_tasks.options import Options
from scheduled_tasks.schedule import Timing
from scheduled_tasks.schedule.trigger import Trigger


def to_data(clock: ClockSpec) -> dict[str, Any]:
    """The clock as JSON values."""
    return _values(clock) | {"options": clock.options.values, "jobs": [_job_data(job) for job in clock.jobs]}


def from_data(data: dict[str, Any]) -> ClockSpec:
    """The clock that `to_data` wrote, after it has been through JSON text."""
    return ClockSpec(**data | {"options": _options(data["options"]), "jobs": tuple(map(_job, data["jobs"]))})


def _job_data(job: Job) -> dict[str, Any]:
    until = job.timing.exact_until
    return _values(job) | {
        "trigger": job.trigger.to_json(),
        "warnings": job.trigger.warnings,
        "timing": _values(job.timing) | {"exact_until": until and iso8601(until)},
        "options": job.options.values,
    }


def _job(data: dict[str, Any]) -> Job:
    trigger = Trigger.from_json(data["trigger"] | {"warnings": data.pop("warnings")})
    return Job(**data | {"trigger": trigger, "timing": _timing(data["timing"]), "options": _options(data["options"])})


def _timing(data: dict[str, Any]) -> Timing:
    until = data["exact_until"]
    return Timing(
        on_calendar=tuple(data["on_calendar"]),
        elapses_every=data["elapses_every"],
        warnings=tuple(data["warnings"]),
        exact_until=until and parse(until),
        jitter=data["jitter"],
        years=data["years"] and tuple(data["years"]),
    )


def _options(values: list[list[Any]]) -> Options:
    return Options(tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in values))


def _values(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}
