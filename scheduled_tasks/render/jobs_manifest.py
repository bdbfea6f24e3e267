"""The jobs manifest of a set, jobs.json: its jobs, and the rules of the time zones from which lines were computed.

For programs: the watch, the ledger and `clocks doctor` read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from scheduled_tasks.instants import iso8601
from scheduled_tasks.options import ALERTS, DEFAULT_OPTIONS, OPTIONS, RETRY_DELAY, Options, seconds_of
from scheduled_tasks.schedule.zone import is_fixed
from scheduled_tasks.schedule.zone_rules import rules_here

if TYPE_CHECKING:
    from scheduled_tasks.clock import ClockSpec, Job


def jobs_json(clocks: Iterable[ClockSpec], stable: Callable[[str], str] = str) -> str:
    """Write the manifest: a line for each job, sorted by clock and job, and one for each time zone.

    `stable` gives the path of a clock file that is the same in every release.
    """
    jobs = [
        (job, clock)
        for clock in sorted(clocks, key=lambda clock: clock.name)
        for job in sorted(clock.jobs, key=lambda job: job.id)
    ]
    lines = [json.dumps(_job(job, clock, stable(job.file)), sort_keys=True) for job, clock in jobs]
    zones = [f"{json.dumps(zone)}: {json.dumps(rules)}" for zone, rules in zone_rules(job for job, _ in jobs)]
    return '{"jobs": [\n' + ",\n".join(lines) + '\n], "zones": {\n' + ",\n".join(zones) + "\n}}\n"


def zone_rules(jobs: Iterable[Job]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The zones that are places, whose offsets can change, with their rules in the years of the jobs' lines."""
    years = {(job.trigger.zone, *job.timing.years) for job in jobs if job.timing.years}
    for zone in sorted({zone for zone, _, _ in years if not is_fixed(zone)}):
        first = min(first for name, first, _ in years if name == zone)
        last = max(last for name, _, last in years if name == zone)
        yield zone, rules_here(zone, first, last).to_json()


def _job(job: Job, clock: ClockSpec, file: str) -> dict[str, Any]:
    options = job.options.over(clock.options.over(DEFAULT_OPTIONS))
    return {
        "clock": clock.name,
        "job": job.id,
        "task": job.task,
        "source": f"{file}:{job.line}",
        "schedule": job.trigger.to_json(),
        "exact_until": job.timing.exact_until and iso8601(job.timing.exact_until),
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
            **_retries(options),
            **({"flag": job.flag} if job.flag else {}),
            **alert_options(options),
        },
    }


def alert_options(options: Options) -> dict[str, Any]:
    """The options that decide who is told of the job; those that are not given have their defaults."""
    values: dict[str, Any] = {}
    for name, value in options.values:
        if OPTIONS[name].section != ALERTS or value == "":
            continue
        if name.startswith("expected_") and isinstance(value, str):
            values[name] = seconds_of(value)
        else:
            values[name] = int(value) if name == "alert_after" and isinstance(value, str) else value
    return values


def _max_duration(options: Options) -> float:
    """The most seconds that a run can take, with all its attempts and the delays between them."""
    retries, delay = int(options.text("retries", "0")), _longest_delay(options)
    return seconds_of(options.timeout) * (retries + 1) + delay * retries


def _longest_delay(options: Options) -> float:
    return seconds_of(options.text("retry_delay_max") or options.text("retry_delay", RETRY_DELAY))


def _retries(options: Options) -> dict[str, float]:
    """How often systemd tries again, and after how many seconds at most: a failed attempt is not yet a bad slot."""
    retries = int(options.text("retries", "0"))
    return {"retries": retries, "retry_delay": _longest_delay(options)} if retries else {}
