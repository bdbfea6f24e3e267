"""The manifest of a clock's jobs as they are deployed in the cluster, for the watch there (`clocks watch --jobs`).

It is the jobs manifest of a host, with the times of Kubernetes: a pod may have to be scheduled and its image pulled, a
retry waits for Kubernetes' own delay, and nothing is spread by jitter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from scheduled_tasks.exporters.kubernetes.cluster import Cluster, Object, config_map, labels, whole_seconds
from scheduled_tasks.options import DEFAULT_OPTIONS, Options
from scheduled_tasks.render.jobs_manifest import alert_options

if TYPE_CHECKING:
    from scheduled_tasks.clock import ClockSpec, Job

POD_START = 300  # seconds from a nominal time to a pod's run: it has to be scheduled, and its image pulled
START_DELAY = 60  # of them, those that the ledger grants every start
MAX_BACKOFF = 360  # seconds between two pods of a Job


def manifest(clock: ClockSpec, jobs: Iterable[Job]) -> str:
    """A line for each job that became a CronJob, as in jobs.json of a host."""
    lines = [json.dumps(_job(clock, job), sort_keys=True) for job in sorted(jobs, key=lambda job: job.id)]
    return '{"jobs": [\n' + ",\n".join(lines) + "\n]}\n"


def manifest_object(cluster: Cluster, clock: ClockSpec, jobs: Iterable[Job]) -> Object:
    """The ConfigMap with a clock's manifest."""
    name = f"scheduled-tasks-jobs-{clock.name.replace('_', '-')}"
    return config_map(cluster, name, labels("jobs", clock=clock.name), {f"{clock.name}.json": manifest(clock, jobs)})


def _job(clock: ClockSpec, job: Job) -> dict[str, Any]:
    options = job.options.over(clock.options.over(DEFAULT_OPTIONS))
    retries = int(options.text("retries", "0"))
    return {
        "clock": clock.name,
        "job": job.id,
        "task": job.task,
        "schedule": job.trigger.to_json(),
        "options": {
            "catch_up": job.catch_up,
            "grace": max(job.grace or 0, POD_START - START_DELAY),
            "jitter": None,
            "timeout": run_seconds(options) + retry_seconds(retries),
            "concurrency_limited": False,
            "paused": job.paused,
            "per_host": False,
            "overlap": options.text("overlap") or None,
            "catch_up_after_pause": False,
            **({"retries": retries, "retry_delay": MAX_BACKOFF + POD_START} if retries else {}),
            **alert_options(options),
        },
    }


def run_seconds(options: Options) -> int:
    """How long all attempts at a slot may take together; a run that waits for another one waits for as long."""
    attempts = int(options.text("retries", "0")) + 1
    return attempt_seconds(options) * attempts


def attempt_seconds(options: Options) -> int:
    """How long a pod may take."""
    return whole_seconds(options.timeout) * (2 if options.text("overlap") == "queue" else 1)


def retry_seconds(retries: int) -> int:
    """How long a Job waits at most for its pods to start: ten seconds before the first retry, doubled each time."""
    return sum(min(10 << number, MAX_BACKOFF) for number in range(retries)) + POD_START * (retries + 1)
