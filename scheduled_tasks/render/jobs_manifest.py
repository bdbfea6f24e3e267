"""What a set deploys, for programs: the list of its jobs, and the account of when it came into force.

In come clocks that have been read; out goes the text of a set's jobs.json. An apply notes the list on disk at the
moment it comes into force, in `Places.reports`; the database is told from there, whenever it can be reached
(operate/host_watch.py). So an apply needs no database, and the database gets the true instants.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks.options import DEFAULT_OPTIONS, RETRY_DELAY, Options, seconds_of
from scheduled_tasks.render import names

if TYPE_CHECKING:
    from scheduled_tasks.clock import ClockSpec, Job
    from scheduled_tasks.deploy.effects import Effects
    from scheduled_tasks.render.names import Places

MOST_NOTES = 50  # that wait for a database
NO_JOBS = json.dumps({"jobs": []})


def jobs_json(clocks: Iterable[ClockSpec]) -> str:
    """The text of a set's jobs.json: a line for each job, by clock and job."""
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
            "timeout": _longest(options),
            "turns": bool(clock.options.text("concurrency")),
            "paused": job.paused,
            "per_host": bool(options.text("per_host")),
            "overlap": options.text("overlap") or None,
            "catch_up_after_pause": bool(options.text("catch_up_after_pause")),
        },
    }


def _longest(options: Options) -> float:
    """Seconds that a run may take, all its attempts and the delays between them counted."""
    retries = int(options.text("retries", "0"))
    delay = options.text("retry_delay_max") or options.text("retry_delay", RETRY_DELAY)
    return seconds_of(options.timeout) * (retries + 1) + seconds_of(delay) * retries


def digest(text: str) -> str:
    """What tells one list of jobs from another."""
    return hashlib.sha256(text.encode()).hexdigest()


def note(files: Mapping[str, str], at: float, places: Places, effects: Effects) -> Path:
    """Notes what is about to come into force, before it does: a killed apply leaves a note too many, never one too few.

    Args:
        files: the set; empty where all is taken away.
        at: from when what it changes counts, in seconds since the epoch.
        places: where the notes are.
        effects: through which the machine is changed.
    """
    effects.folder(places.reports)
    for old in sorted(places.reports.glob("*-jobs.json"))[:-MOST_NOTES]:
        effects.remove(old)  # a host that never has a database
    path = places.reports / f"{time.time_ns():020d}-jobs.json"
    _write(path, files, at, None, effects)
    return path


def complete(path: Path, files: Mapping[str, str], at: float, new_from: float, effects: Effects) -> None:
    """Completes a note by the instant at which the timers of new jobs were started."""
    _write(path, files, at, new_from, effects)


def read_note(text: str) -> dict[str, Any]:
    """Reads a note: `at`, `new_from`, `digest` and `jobs`. An apply that was killed had not yet said `new_from`.

    Raises:
        ValueError, KeyError, TypeError: it isn't one.
    """
    noted = json.loads(text)
    return {
        "at": float(noted["at"]),
        "new_from": float(noted["new_from"] or noted["at"]),
        "digest": str(noted["digest"]),
        "jobs": list(noted["jobs"]),
    }


def _write(path: Path, files: Mapping[str, str], at: float, new_from: float | None, effects: Effects) -> None:
    text = files.get(names.JOBS, NO_JOBS)
    noted = {"at": at, "new_from": new_from, "digest": digest(text), "jobs": json.loads(text)["jobs"]}
    effects.keep(path, json.dumps(noted))
