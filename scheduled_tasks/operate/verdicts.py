"""What is due and what became of it: pure, from the schedules as they were deployed to a verdict on each slot.

In come deployed jobs, pauses and runs as the database has them, and an instant; out come slots, and for a slot that no
run accounted for what to write: `skipped` and why, or `missed`. Decision 0009 has the formula and its reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from scheduled_tasks.run.status import RunStatus
from scheduled_tasks.schedule.evaluator import occurrences
from scheduled_tasks.schedule.trigger import Trigger

# From a due time to the run's row: the timer's AccuracySec=1s, a start on a busy machine, and clocks that differ by up
# to a minute from host to host.
START = timedelta(seconds=60)
# A timer that is up starts its service so soon after the due time and its jitter.
ELAPSES = timedelta(seconds=2)
# A run this much later than its jitter allows was started because the machine was back, not because it was time.
LATE = timedelta(seconds=5)


class Slot(NamedTuple):
    """A nominal time of a job; `host` is '' where one run serves all hosts."""

    clock: str
    job: str
    at: datetime
    host: str = ""


@dataclass(frozen=True)
class DeployedJob:
    """A job as a host was to run it: after `since`, up to and with `until` (None: still)."""

    host: str
    clock: str
    job: str
    task: str
    trigger: Trigger
    options: Mapping[str, Any]
    since: datetime
    until: datetime | None = None

    @property
    def jitter(self) -> timedelta:
        """How much later than its time the job's timer may elapse."""
        return timedelta(seconds=self.options.get("jitter") or 0)

    @property
    def timeout(self) -> timedelta:
        """How long a run may take, all attempts together."""
        return timedelta(seconds=self.options.get("timeout") or 3600)

    @property
    def patience(self) -> timedelta:
        """How long after its time a slot without a row is `missed`."""
        grace = timedelta(seconds=self.options.get("grace") or 0)
        waits = self.options.get("concurrency_limited") or self.options.get("overlap") == "queue"
        return self.jitter + grace + START + (self.timeout if waits else timedelta())

    def slot(self, at: datetime) -> Slot:
        """The slot that one of the job's nominal times is."""
        return Slot(self.clock, self.job, at, self.host if self.options.get("per_host") else "")

    def due(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The nominal times for which this deployment counted, after one instant, up to and with another."""
        if self.options.get("paused"):
            return
        low = max(after, self.since)
        high = min(until, self.until) if self.until else until
        if low < high:
            for found in occurrences(self.trigger, after=low, until=high):
                yield found.at

    def is_due(self, slot: Slot) -> bool:
        """Whether a slot is one of this deployment's."""
        before = slot.at - timedelta(microseconds=1)
        return self.slot(slot.at) == slot and slot.at in self.due(before, slot.at)


@dataclass(frozen=True)
class Pause:
    """A pause of a job, a clock or all (None), on a host or on all (None).

    It holds from `since` to before `end` (None: still).
    """

    clock: str | None
    job: str | None
    host: str | None
    since: datetime
    end: datetime | None
    by: str
    reason: str

    def holds(self, slot: Slot, host: str, until: datetime) -> bool:
        """Whether it kept a host from running a slot that it could have started until an instant."""
        return (
            self.clock in {None, slot.clock}
            and self.job in {None, slot.job}
            and self.host in {None, host}
            and self.since <= until
            and (self.end is None or self.end > slot.at)
        )


class Ran(NamedTuple):
    """A run that began. `ended_at` is None while it goes on, `scheduled_at` for one by hand."""

    host: str
    scheduled_at: datetime | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Verdict:
    """What to write for a slot that no run accounted for."""

    slot: Slot
    status: str
    reason: str
    host: str
    task: str


def judged(
    deployed: Iterable[DeployedJob], windows: Mapping[str, tuple[datetime, datetime]]
) -> dict[Slot, list[DeployedJob]]:
    """The slots whose patience ended within their host's window: after its first instant, up to and with its second."""
    found: dict[Slot, list[DeployedJob]] = {}
    for each in deployed:
        if each.host in windows:
            after, until = windows[each.host]
            for at in each.due(after - each.patience, until - each.patience):
                found.setdefault(each.slot(at), []).append(each)
    return found


def verdict(
    slot: Slot,
    hosts: Sequence[DeployedJob],
    pauses: Iterable[Pause],
    ran: Sequence[Ran],
    seen: Mapping[str, datetime],
) -> Verdict:
    """What became of a slot that has no row.

    Args:
        slot: the slot.
        hosts: the deployments for which it was due.
        pauses: those that may concern it.
        ran: the job's runs about that time, and the first that was due after it; by `started_at`.
        seen: when each host's watch had its last word.
    """
    status, reason = _why(slot, hosts, pauses, ran, seen)
    named = slot.host or (hosts[0].host if len({each.host for each in hosts}) == 1 else "")
    return Verdict(slot, status, reason, named, hosts[0].task)


def _why(
    slot: Slot,
    hosts: Sequence[DeployedJob],
    pauses: Iterable[Pause],
    ran: Sequence[Ran],
    seen: Mapping[str, datetime],
) -> tuple[RunStatus, str]:
    elapses = slot.at + max(each.jitter for each in hosts) + ELAPSES
    names = sorted({each.host for each in hosts})
    holding = {name: [pause for pause in pauses if pause.holds(slot, name, elapses)] for name in names}
    awake = [name for name in names if not holding[name]]
    if not awake:
        pause = max((each for some in holding.values() for each in some), key=lambda each: each.since)
        return RunStatus.SKIPPED, f"paused: {pause.reason}"
    for run in ran:  # a service that runs isn't started again: its timer elapses without a trace
        concerns = not slot.host or run.host == slot.host
        if concerns and run.started_at <= elapses and (run.ended_at is None or run.ended_at >= slot.at):
            due = run.scheduled_at if run.scheduled_at != slot.at else None
            which = f"due at {due:%Y-%m-%dT%H:%M:%SZ}" if due else f"of {run.started_at:%Y-%m-%dT%H:%M:%SZ}"
            return RunStatus.SKIPPED, f"the run {which} on {run.host} was not over"
    for run in ran:
        later = run.scheduled_at is not None and run.scheduled_at > slot.at and run.started_at > elapses
        if later and run.scheduled_at and run.started_at > run.scheduled_at + hosts[0].jitter + LATE:
            return RunStatus.MISSED, f"caught up by the run due at {run.scheduled_at:%Y-%m-%dT%H:%M:%SZ}"
        if later:
            break
    said = [
        f"{name} is silent since {seen[name]:%Y-%m-%dT%H:%M:%SZ}"
        if name in seen and seen[name] < elapses
        else f"{name} did not start it"
        for name in awake
    ]
    return RunStatus.MISSED, "; ".join(said)
