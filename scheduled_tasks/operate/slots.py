"""The values of the ledger: slots, jobs as hosts had them, pauses, and the intervals of runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from scheduled_tasks.instants import rfc3339
from scheduled_tasks.schedule.evaluator import TICK, latest_occurrence, occurrences
from scheduled_tasks.schedule.trigger import Trigger

# From the due time to the run's row: the timer's AccuracySec=1s, a start on a busy machine, and hosts whose clocks
# differ by up to a minute.
MAX_START_DELAY = timedelta(seconds=60)
DEFAULT_TIMEOUT = 3600  # seconds


def is_cluster(host: str) -> bool:
    """Whether a host is a namespace of a Kubernetes cluster, CLUSTER/NAMESPACE: no hostname has a slash."""
    return "/" in host


class Slot(NamedTuple):
    """A nominal time of a job; `host` is '' if one run serves all hosts."""

    clock: str
    job: str
    at: datetime
    host: str = ""


@dataclass(frozen=True)
class DeployedJob:
    """A job as a host had it: after `valid_from`, up to and including `valid_until` (None: it still has it)."""

    host: str
    clock: str
    job: str
    task: str
    trigger: Trigger
    options: Mapping[str, Any]
    valid_from: datetime
    valid_until: datetime | None = None

    @property
    def jitter(self) -> timedelta:
        """How long after its nominal time the job's timer may elapse."""
        return timedelta(seconds=self.options.get("jitter") or 0)

    @property
    def timeout(self) -> timedelta:
        """How long a run may take, all attempts together."""
        return timedelta(seconds=self.options.get("timeout") or DEFAULT_TIMEOUT)

    @property
    def overdue_after(self) -> timedelta:
        """How long after its nominal time a slot without a row is overdue."""
        grace = timedelta(seconds=self.options.get("grace") or 0)
        waits = self.options.get("concurrency_limited") or self.options.get("overlap") == "queue"
        return self.jitter + grace + MAX_START_DELAY + (self.timeout if waits else timedelta())

    def slot(self, at: datetime) -> Slot:
        """The slot of one of the job's nominal times."""
        return Slot(self.clock, self.job, at, self.host if self.options.get("per_host") else "")

    def due(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The nominal times in this deployment, after one instant, up to and including another."""
        if self.options.get("paused"):
            return
        low = max(after, self.valid_from)
        high = min(until, self.valid_until) if self.valid_until else until
        if low < high:
            for occurrence in occurrences(self.trigger, after=low, until=high):
                yield occurrence.at

    def why_not_due(self, at: datetime) -> str:
        """Why an instant is not a nominal time of the job, with the nearest ones; "" if it is one."""
        before = latest_occurrence(self.trigger, at_or_before=at)
        if before and before.at == at:
            return ""
        after = next(occurrences(self.trigger, after=at), None)
        near = " and ".join(rfc3339(slot.at) for slot in (before, after) if slot)
        return f"{self.clock}/{self.job} is not due at {rfc3339(at)}; the nearest slots are {near or 'none'}"

    def is_due(self, slot: Slot) -> bool:
        """Whether a slot belongs to this deployment."""
        return self.slot(slot.at) == slot and slot.at in self.due(slot.at - TICK, slot.at)


class Scope(NamedTuple):
    """What is paused: a job, a clock (`job` None) or all (`clock` None), on one host or on all (`host` None)."""

    clock: str | None = None
    job: str | None = None
    host: str | None = None

    def __str__(self) -> str:
        what = "all clocks" if self.clock is None else f"{self.clock}/{self.job}" if self.job else self.clock
        return f"{what} on {self.host}" if self.host else what


@dataclass(frozen=True)
class Pause:
    """A pause, from `at` until it is resumed or its `until` is reached.

    `local_id` identifies a pause that a host keeps itself (operate/host_pauses.py); None for one in the database.
    """

    scope: Scope
    at: datetime
    by: str
    reason: str
    until: datetime | None
    resumed_at: datetime | None = None
    resumed_by: str | None = None
    local_id: str | None = None

    def __str__(self) -> str:
        until = f" until {rfc3339(self.until)}" if self.until else ""
        return f"{self.scope} since {rfc3339(self.at)}{until} by {self.by}: {self.reason}"

    @property
    def end(self) -> datetime | None:
        """When it ended or will end; None if no end is set.

        A host's own pause holds until the watch removes its file, after `until`; a dead host's ends at `until`.
        """
        if self.local_id:
            return self.resumed_at or self.until
        return min((at for at in (self.resumed_at, self.until) if at), default=None)

    def covers(self, clock: str, job: str, host: str | None = None) -> bool:
        """Whether it applies to a job on a host; without `host`, whether it applies to the job on all hosts."""
        scope = self.scope
        return scope.clock in {None, clock} and scope.job in {None, job} and scope.host in {None, host}

    def blocked(self, slot: Slot, host: str, until: datetime) -> bool:
        """Whether it kept a host from running a slot that it could have started until an instant."""
        return self.covers(slot.clock, slot.job, host) and self.at <= until and (self.end is None or self.end > slot.at)


class RunInterval(NamedTuple):
    """The interval of a run, by its host's clock. `scheduled_at` is None for a run by hand, `ended_at` while it runs.

    `is_timers`: whether its timer started it. Then its service has been starting since `scheduled_at`: it may have
    waited for others (`concurrency`), or for a busy machine.
    """

    host: str
    scheduled_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    is_timers: bool = False

    @property
    def busy_since(self) -> datetime:
        """Since when the job's service could not be started for another slot."""
        return min(self.scheduled_at, self.started_at) if self.scheduled_at and self.is_timers else self.started_at
