"""What became of each slot of the sample, and the log lines of what failed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from scheduled_tasks.page.demo.jobs import SampleJob
from scheduled_tasks.schedule.evaluator import occurrences

DAYS = 3
HOSTS = ("app1", "app2", "app3")
RELEASES = ("2.14.0", "2.15.0")
RELEASED = timedelta(hours=9)  # before now
SILENT_SINCE = timedelta(minutes=52)  # app3, before now
OUTAGE = (timedelta(hours=33), timedelta(hours=31))  # before now: between these, nobody ran anything
ERROR = ("HTTPStatusError", "Server error '503 Service Unavailable' for url 'https://sepa.bank.example/v2/batches'")
FAILED_AFTER = 31.4  # seconds
LOG: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("info", "", {"status": "started", "attempt": 1}),
    ("info", "412 invoices to export", {"invoices": 412}),
    ("warning", "the bank did not answer, trying again", {"try": 2, "seconds": 30}),
    ("error", "the bank refused the batch", {"http_status": 503, "batch": "2026-11-b7"}),
)
# What a run has and a slot without one doesn't.
_OF_RUNS = ("duration", "lag", "exit_code", "invocation_id", "memory_peak", "cpu_seconds", "release")
_UNKNOWN_END = dict.fromkeys(("duration", "exit_code", "memory_peak", "cpu_seconds", "ended_at"))


def slots(job: SampleJob, now: datetime, chance: random.Random) -> Iterator[dict[str, Any]]:
    """The rows of a job's slots, oldest first."""
    due = [one.at for one in occurrences(job.trigger, after=now - timedelta(days=DAYS), until=now)]
    still_running = sum(now - at < timedelta(seconds=job.takes * 2) for at in due)
    hosts = HOSTS if job.options.get("per_host") else ("",)
    for n, at in enumerate(due):
        for slot_host in hosts:
            if slot_host == "app3" and now - at < SILENT_SINCE:
                continue  # its grace is an hour: it is not missed yet
            yield _slot(job, at, slot_host, now, chance) | _fate(
                job, at, now, back=len(due) - still_running - n, chance=chance
            )


def _slot(job: SampleJob, at: datetime, slot_host: str, now: datetime, chance: random.Random) -> dict[str, Any]:
    """A slot whose run ended well."""
    lag = round(chance.uniform(0.1, 1.4), 3)
    duration = round(job.takes * chance.lognormvariate(0, 0.22), 3)
    started = at + timedelta(seconds=lag)
    return {
        "run_id": UUID(int=chance.getrandbits(128), version=4), "task": job.task, "clock": job.clock, "job": job.job,
        "scheduled_at": at, "slot_host": slot_host, "trigger": "timer", "status": "ended", "attempt": 1,
        "host": slot_host or chance.choice(HOSTS[:2] if now - at < SILENT_SINCE else HOSTS), "exit_code": 0,
        "started_at": started, "duration": duration, "lag": lag, "ended_at": started + timedelta(seconds=duration),
        "release": RELEASES[now - at < RELEASED], "invocation_id": UUID(int=chance.getrandbits(128), version=4),
        "memory_peak": int(job.memory * chance.uniform(0.85, 1.2) * 2**20), "cpu_seconds": round(duration * 0.4, 3),
    }  # fmt: skip


def _fate(job: SampleJob, at: datetime, now: datetime, *, back: int, chance: random.Random) -> dict[str, Any]:
    """What is different if a slot's run did not end well; `back` is 1 for the last one that does not run any more."""
    longest = job.takes * 2
    # What goes wrong by the time of day or by chance is followed by a run that ended well: at any hour, the same jobs
    # are wrong now. The last slots of two jobs are no such run: one is skipped, one still runs.
    mended = back > (2 if job.flag or job.job == "synchronize_stocks" else 1)
    fate: dict[str, Any] = {}
    if OUTAGE[1] < now - at < OUTAGE[0] and mended:
        fate = _missed(at, "no host was up when it was due")
    elif job.job == "sum_up_the_day" and back == 1:
        fate = _missed(at, "it was not started on app1, app2 or app3: their timers do not run")
    elif job.flag and back == 1:
        fate = dict.fromkeys(_OF_RUNS) | {"status": "skipped", "reason": f"feature {job.flag} is not active"}
    elif now - at < timedelta(seconds=longest) or (job.job == "synchronize_stocks" and back == 1):
        fate = _UNKNOWN_END | {"status": "started", "expires_at": now + timedelta(seconds=longest + 60)}
    elif (job.job == "export_invoices" and back in {1, 2, 3}) or (mended and chance.random() < job.fails):
        fate = {"status": "failed", "exit_code": 1, "duration": FAILED_AFTER, "error_type": ERROR[0],
                "ended_at": at + timedelta(seconds=FAILED_AFTER), "error_message": ERROR[1]}  # fmt: skip
    elif (job.job, back) == ("reconcile_payments", 7):
        fate = _UNKNOWN_END | {"status": "lost", "reason": "its process is gone, and how it ended is unknown"}
    return fate


def _missed(at: datetime, reason: str) -> dict[str, Any]:
    return dict.fromkeys((*_OF_RUNS, "ended_at")) | {
        "status": "missed", "attempt": 0, "started_at": at, "host": "", "reason": reason,
    }  # fmt: skip


def log_lines(run_id: UUID, task: str, started: datetime) -> str:
    """The stored lines of a run that failed."""
    lines: list[dict[str, Any]] = [
        {"timestamp": started + timedelta(seconds=6 * n), "level": level, "message": message, "logger": task, **extra}
        for n, (level, message, extra) in enumerate(LOG)
    ]
    lines[0]["run_id"] = run_id
    ended = started + timedelta(seconds=FAILED_AFTER)
    end = {"status": "failed", "duration": FAILED_AFTER, "exit_code": 1, "reason": ": ".join(ERROR)}
    lines.append({"timestamp": ended, "level": "error", "task": task, **end})
    return "\n".join(json.dumps(line, default=str) for line in lines)
