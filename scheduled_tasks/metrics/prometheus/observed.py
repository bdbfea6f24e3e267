"""What Prometheus sees of a job's deadline, minute by minute: if each run begins as late as it may, or if none does.

Jobs and instants go in; the values of the metric, and the first minute in which the alert has to fire, come out. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduled_tasks.metrics import deadlines
from scheduled_tasks.metrics.prometheus.alerting_rules import MAX_AGE
from scheduled_tasks.operate.slots import DeployedJob
from scheduled_tasks.render.jobs_manifest import jobs_json
from scheduled_tasks.schedule.evaluator import latest_occurrence
from scheduled_tasks.schedule.trigger import Trigger

if TYPE_CHECKING:
    from scheduled_tasks.clock import ClockSpec

MINUTE = timedelta(minutes=1)
# The age of the state of the ledger that Prometheus has: nearly as old as it may be.
AGE = timedelta(seconds=MAX_AGE - 1)
LAST_MOMENT = timedelta(seconds=1)  # before the deadline: when the row of a run appears, at the latest
HOST = "app1"  # of jobs that each host runs itself

# The deadline that an exporter shows when the slots up to an instant have their rows; None if no further one is due.
Shown = Callable[[DeployedJob, datetime], datetime | None]


@dataclass(frozen=True)
class ObservedJob:
    """A job as its metrics have it."""

    deployed: DeployedJob
    options: dict[str, Any]

    @property
    def labels(self) -> dict[str, str]:
        """The labels of its series."""
        labels = {"clock": self.deployed.clock, "job_name": self.deployed.job}
        return labels | {"host": HOST} if self.options.get("per_host") else labels

    @property
    def is_told(self) -> bool:
        """Whether its clock file wants anybody to be told."""
        return self.options.get("notify") != []

    @property
    def info(self) -> dict[str, str]:
        """The labels of its info series that the rules read."""
        return self.alert_labels | ({} if self.is_told else {"told": "no"})

    @property
    def alert_labels(self) -> dict[str, str]:
        """The labels of its alerts, beside their names and severities."""
        owner = self.options.get("owner")
        return self.labels | ({"owner": owner} if owner else {})

    @property
    def alert_after(self) -> int:
        """From how many bad slots in a row an alert is wanted."""
        return int(self.options.get("alert_after") or 1)


def observed_jobs(clocks: Iterable[ClockSpec], since: datetime) -> list[ObservedJob]:
    """The jobs of clocks, as a host has them from an instant on."""
    return [
        ObservedJob(
            DeployedJob(
                HOST, job["clock"], job["job"], job["task"], Trigger.from_json(job["schedule"]), job["options"], since
            ),
            job["options"],
        )
        for job in json.loads(jobs_json(clocks))["jobs"]
    ]


def next_deadline(job: DeployedJob, recorded_until: datetime) -> datetime | None:
    """The deadline that the exporter shows when the slots up to an instant have their rows."""
    return deadlines.deadline(job, recorded_until, (), deadlines.next_due)


def shown_deadlines(
    job: DeployedJob, minutes: Sequence[datetime], *, silent_from: datetime | None = None, shown: Shown = next_deadline
) -> Iterator[datetime | None]:
    """The deadline that Prometheus sees in each of these minutes.

    Args:
        job: as it is.
        minutes: in order.
        silent_from: no slot from this instant on is run.
        shown: what the exporter shows.
    """
    seen = minutes[0] - AGE
    recorded = _latest_recorded(job, seen)
    deadline = shown(job, recorded)
    coming = job.due(recorded, minutes[-1])
    slot = next(coming, None)
    for minute in minutes:
        while slot is not None and _is_recorded(job, slot, minute - AGE) and not (silent_from and slot >= silent_from):
            deadline, slot = shown(job, slot), next(coming, None)
        yield deadline


def first_alert(job: DeployedJob, minutes: Sequence[datetime], silent_from: datetime) -> datetime | None:
    """The first of these minutes in which a job is overdue that runs no slot from an instant on."""
    slot = next(job.due(silent_from - timedelta(microseconds=1), minutes[-1]), None)
    due = slot and slot + job.overdue_after + timedelta(seconds=MAX_AGE)
    return next((minute for minute in minutes if due and minute > due), None)


def _is_recorded(job: DeployedJob, slot: datetime, at: datetime) -> bool:
    return slot + job.overdue_after - LAST_MOMENT <= at


def _latest_recorded(job: DeployedJob, at: datetime) -> datetime:
    """The last slot that has its row at an instant; or an instant before the first one."""
    last = at - job.overdue_after + LAST_MOMENT
    occurrence = latest_occurrence(job.trigger, at_or_before=last)
    return occurrence.at if occurrence else last
