"""All deployed jobs with their schedules, kept between requests and read again when a deployment changes something.

Ten thousand jobs take a second to read and to evaluate; whether they changed takes two index lookups.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.operate import deployments
from scheduled_tasks.schedule.evaluator import occurrences

if TYPE_CHECKING:
    from scheduled_tasks.operate.slots import DeployedJob
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.schedule.trigger import Trigger


NOBODY = "nobody"  # the owner of a job whose clock file names none


class Due(NamedTuple):
    """A slot that is due."""

    at: datetime
    job: CatalogJob


@dataclass(frozen=True)
class CatalogJob:
    """A job as its hosts have it now; what differs between hosts is as on the first one."""

    deployed: tuple[DeployedJob, ...]

    @property
    def clock(self) -> str:
        """Its clock."""
        return self.deployed[0].clock

    @property
    def job(self) -> str:
        """Its name in the clock."""
        return self.deployed[0].job

    @property
    def name(self) -> str:
        """`CLOCK/JOB`."""
        return f"{self.clock}/{self.job}"

    @property
    def task(self) -> str:
        """Its task."""
        return self.deployed[0].task

    @property
    def trigger(self) -> Trigger:
        """Its schedule."""
        return self.deployed[0].trigger

    @property
    def owner(self) -> str:
        """Its owner; "" if the clock file names none."""
        return str(self.deployed[0].options.get("owner") or "")

    @property
    def flag(self) -> str:
        """The feature flag that its task needs; "" for none."""
        return str(self.deployed[0].options.get("flag") or "")

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that have it."""
        return tuple(job.host for job in self.deployed)

    @property
    def is_timed(self) -> bool:
        """Whether a host's timer starts it: it is not paused in its clock file."""
        return any(not job.options.get("paused") for job in self.deployed)

    @property
    def slots_at_once(self) -> int:
        """How many slots it has at each nominal time: one, or one for each host with `per_host`."""
        return len(self.deployed) if self.deployed[0].options.get("per_host") else 1


class Catalog:
    """The jobs of all hosts at one time, by clock and job."""

    def __init__(self, deployed: Iterable[DeployedJob]) -> None:
        by_name: dict[tuple[str, str], list[DeployedJob]] = defaultdict(list)
        for host_job in deployed:
            by_name[host_job.clock, host_job.job].append(host_job)
        self.jobs: dict[tuple[str, str], CatalogJob] = {key: CatalogJob(tuple(by_name[key])) for key in sorted(by_name)}
        self._lock = threading.Lock()
        self._next: list[Due] = []

    @cached_property
    def clocks(self) -> dict[str, list[CatalogJob]]:
        """The jobs of each clock."""
        clocks: dict[str, list[CatalogJob]] = defaultdict(list)
        for job in self.jobs.values():
            clocks[job.clock].append(job)
        return dict(clocks)

    @cached_property
    def starts(self) -> dict[str, dict[str, Counter[Trigger]]]:
        """By clock and by owner, the names of each, and how many runs each schedule of theirs starts at once."""
        found: dict[str, dict[str, Counter[Trigger]]] = {"clock": defaultdict(Counter), "owner": defaultdict(Counter)}
        for job in self.jobs.values():
            if job.is_timed:
                found["clock"][job.clock][job.trigger] += job.slots_at_once
                found["owner"][job.owner or NOBODY][job.trigger] += job.slots_at_once
        return found

    @cached_property
    def owners(self) -> list[str]:
        """All owners, sorted."""
        return sorted({job.owner for job in self.jobs.values() if job.owner})

    @cached_property
    def hosts(self) -> list[str]:
        """All hosts that have a job, sorted."""
        return sorted({host for job in self.jobs.values() for host in job.hosts})

    def coming(self, now: datetime, limit: int) -> list[Due]:
        """The next slot of each job, of the jobs that are due first. They are kept until the first one is due."""
        with self._lock:
            if len(self._next) < limit or self._next[0].at <= now:
                self._next = heapq.nsmallest(limit, self._following(now), key=lambda due: (due.at, due.job.name))
            return self._next[:limit]

    def _following(self, now: datetime) -> Iterator[Due]:
        following: dict[Trigger, datetime | None] = {}
        for job in self.jobs.values():
            trigger = job.trigger
            if trigger not in following:
                following[trigger] = next((one.at for one in occurrences(trigger, after=now)), None)
            if job.is_timed and (at := following[trigger]):
                yield Due(at, job)


class CatalogCache:
    """The current catalog of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version: tuple[object, ...] | None = None
        self._catalog = Catalog(())

    def current(self, connection: Connection) -> Catalog:
        """The catalog, read again if a deployment has opened or closed a row since."""
        version = tuple(connection.execute(_VERSION).fetchall()[0])
        with self._lock:
            if version != self._version:
                self._catalog = Catalog(deployments.deployed_now(connection))
                self._version = version
            return self._catalog


# A report of a host inserts rows, closes some, or both. Renaming a host does both too.
_VERSION = """
SELECT (SELECT max(id) FROM deployed_job),
       (SELECT max(valid_until) FROM deployed_job WHERE valid_until IS NOT NULL)
"""
