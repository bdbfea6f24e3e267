"""When a job's next slot is overdue, by the ledger's own formula. Pure.

The audit (operate/account.py) records a slot without a row once its nominal time, jitter, grace and a minute are over,
and its timeout if its runs wait for others (`DeployedJob.overdue_after`). So the deadline of a job is that of its
earliest slot that has no row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from scheduled_tasks.instants import LATEST
from scheduled_tasks.operate.slots import DeployedJob
from scheduled_tasks.schedule.evaluator import TICK

Subject = tuple[str, str, str]  # clock, job, and with per_host the host, otherwise ""


def first_open(job: DeployedJob, accounted_until: datetime | None) -> datetime:
    """The instant after which a deployment's slots may lack a row: those that were overdue before are accounted for."""
    if accounted_until is None:
        return job.valid_from
    return max(job.valid_from, accounted_until - job.overdue_after)


def deadline(
    job: DeployedJob,
    after: datetime,
    recorded: Collection[datetime],
    next_due: Callable[[DeployedJob, datetime], datetime | None],
) -> datetime | None:
    """When the first slot of a deployment that has no row is overdue; None if it has no further slot.

    Args:
        job: the deployment.
        after: `first_open` of it.
        recorded: the nominal times after that which have a row.
        next_due: the next nominal time of a job after an instant.
    """
    at = next_due(job, after)
    while at is not None and at in recorded:
        at = next_due(job, at)
    return at and at + job.overdue_after


def next_due(job: DeployedJob, after: datetime) -> datetime | None:
    """The next nominal time of a deployment after an instant; None if there is none, as of a job paused in its file."""
    return next(job.due(after, LATEST - TICK), None)


def subject(job: DeployedJob) -> Subject:
    """What the slots of a deployment are of."""
    return job.clock, job.job, job.host if job.options.get("per_host") else ""
