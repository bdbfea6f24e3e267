"""The jobs manifest of a set, jobs.json: its jobs, for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from scheduled_tasks.options import DEFAULT_OPTIONS, RETRY_DELAY, Options, seconds_of

if TYPE_CHECKING:
    from scheduled_tasks.clock import ClockSpec, Job


def jobs_json(clocks: Iterable[ClockSpec]) -> str:
    """Write the manifest: a line for each job, sorted by clock and job."""
    lines = [
        json.dumps(_job(job, clock), sort_keys=True)
        for clock in sorted(clocks, key=lambda clock: clock.name)
        for job in sorted(clock.jobs, key=lambda job: job.id)
    ]
    return '{"jobs": [\n' + ",\n".join(lines) + "\n]}\n"


def _job(job: Job, clock: ClockSpec) -> dict[str, Any]:
    options = job.options.over(clock.options.over(DEFAULT_OPTIONS))
    return {
        "clock": clock.name,
        "job": job.id,
        "task": job.task,
        "schedule": job.trigger.to_json(),
        "options": {
            "catch_up": job.catch_up,
            "grace": job.grace,
            "jitter": job.trigger.jitter,
            "timeout": _max_duration(options),
            "concurrency_limited": bool(clock.options.text("concurrency")),
            "paused": job.paused,
            "per_host": bool(options.text("per_host")),
            "overlap": options.text("overlap") or None,
            "catch_up_after_pause": bool(options.text("catch_up_after_pause")),
        },
    }


def _max_duration(options: Options) -> float:
    """The most seconds that a run can take, with all its attempts and the delays between them."""
    retries = int(options.text("retries", "0"))
    delay = options.text("retry_delay_max") or options.text("retry_delay", RETRY_DELAY)
    return seconds_of(options.timeout) * (retries + 1) + seconds_of(delay) * retries
