"""Decide what became of a slot that no run accounted for: `skipped` and why, or `missed`. Pure.

Decision 0009 has the formula and its reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduled_tasks.instants import rfc3339
from scheduled_tasks.operate.slots import DeployedJob, Pause, RunInterval, Slot
from scheduled_tasks.run.status import RunStatus

# On a machine that is up, a timer starts its service within this time after the due time and its jitter.
MAX_TIMER_DELAY = timedelta(seconds=2)
# A run that is later than its jitter allows by more than this was started because the machine came back.
MAX_PUNCTUAL_DELAY = timedelta(seconds=5)


@dataclass(frozen=True)
class Verdict:
    """What to record for a slot that no run accounted for."""

    slot: Slot
    status: RunStatus
    reason: str
    host: str
    task: str


def overdue(
    deployed: Iterable[DeployedJob], windows: Mapping[str, tuple[datetime, datetime]]
) -> dict[Slot, list[DeployedJob]]:
    """The slots that became overdue in their host's window: after its start, up to and including its end."""
    slots: dict[Slot, list[DeployedJob]] = {}
    for job in deployed:
        if job.host in windows:
            after, until = windows[job.host]
            for at in job.due(after - job.overdue_after, until - job.overdue_after):
                slots.setdefault(job.slot(at), []).append(job)
    return slots


def verdict(
    slot: Slot,
    deployed: Sequence[DeployedJob],
    pauses: Iterable[Pause],
    runs: Sequence[RunInterval],
    heartbeats: Mapping[str, datetime],
) -> Verdict:
    """Decide what became of a slot that has no row.

    Args:
        slot: the slot.
        deployed: the deployments for which it was due, at least one.
        pauses: those that may apply to it.
        runs: the job's runs at about that time, and the first that was due after it, by `started_at`.
        heartbeats: each host's last heartbeat.
    """
    hosts = sorted({job.host for job in deployed})
    jitter = max(job.jitter for job in deployed)
    started_by = slot.at + jitter + MAX_TIMER_DELAY
    blocking = {host: [pause for pause in pauses if pause.blocked(slot, host, started_by)] for host in hosts}
    unpaused = [host for host in hosts if not blocking[host]]
    if not unpaused:
        last = max((pause for some in blocking.values() for pause in some), key=lambda pause: pause.at)
        status, reason = RunStatus.SKIPPED, f"paused: {last.reason}"
    elif running := _running(slot, runs, started_by):
        status, reason = RunStatus.SKIPPED, f"the run {running} was still running"
    elif catching_up := _catching_up(slot, runs, started_by, deployed[0].jitter):
        status, reason = RunStatus.MISSED, f"caught up by the run due at {rfc3339(catching_up)}"
    else:
        status, reason = RunStatus.MISSED, "; ".join(_why_not(host, heartbeats, started_by) for host in unpaused)
    return Verdict(slot, status, reason, slot.host or (hosts[0] if len(hosts) == 1 else ""), deployed[0].task)


def _running(slot: Slot, runs: Iterable[RunInterval], started_by: datetime) -> str:
    """Name the run that was in progress: systemd does not start a running service again, and records nothing then."""
    for run in runs:
        same_host = not slot.host or run.host == slot.host
        if same_host and run.busy_since <= started_by and (run.ended_at is None or run.ended_at >= slot.at):
            due = run.scheduled_at if run.scheduled_at != slot.at else None
            return f"{f'due at {rfc3339(due)}' if due else f'of {rfc3339(run.started_at)}'} on {run.host}"
    return ""


def _catching_up(slot: Slot, runs: Iterable[RunInterval], started_by: datetime, jitter: timedelta) -> datetime | None:
    """The nominal time of the next slot's run, if it started late because the machine was back."""
    for run in runs:
        if slot.host not in {"", run.host}:
            continue  # another host's run catches up none of this host's slots
        if run.scheduled_at and run.scheduled_at > slot.at and run.started_at > started_by:
            return run.scheduled_at if run.started_at > run.scheduled_at + jitter + MAX_PUNCTUAL_DELAY else None
    return None


def _why_not(host: str, heartbeats: Mapping[str, datetime], started_by: datetime) -> str:
    last = heartbeats.get(host)
    return (
        f"no heartbeat from {host} since {rfc3339(last)}" if last and last < started_by else f"{host} did not start it"
    )
