"""Which slot a pod of a CronJob runs, and which attempt at it this is.

A pod can't read its Job, but the downward API gives it the Job's name and UID, which are labels of the pod, and its own
UID. A CronJob names its Jobs after their nominal time: CRONJOB-MINUTES, in minutes since the epoch (pkg/controller/
cronjob/utils.go, getTimeHashInMinutes, since 1.21). The annotation batch.kubernetes.io/cronjob-scheduled-timestamp has
the same instant, but of the Job only, so no fieldRef of a pod reaches it (kubernetes#123519).

All pods of a Job are attempts at one slot: they have its UID as their run_id.
"""

from __future__ import annotations

import logging
import os
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import from_epoch, rfc3339
from scheduled_tasks.run import database, nominal, statements
from scheduled_tasks.run.current import KUBERNETES_JOB, KUBERNETES_JOB_UID, KUBERNETES_POD_UID

if TYPE_CHECKING:
    from scheduled_tasks.run.current import Run
    from scheduled_tasks.schedule.trigger import Trigger

SCHEDULED_JOB = re.compile(r".+-(\d{8,9})")  # of 1989 to 3871, in minutes
MAX_AGE = timedelta(days=367)  # longer than startingDeadlineSeconds of any exported CronJob
MINUTE = timedelta(minutes=1)
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

logger = logging.getLogger(__name__)


def find_slot(run: Run, trigger: Trigger | None, now: datetime) -> bool:
    """Set the run's slot and identity from what the pod knows of its Job; whether the CronJob started it for a slot.

    A Job that a person made (kubectl create job --from=cronjob/…) has no slot. A CronJob can start more often than the
    schedule, because five fields can't express it, or on the wrong side of a night of change: then no slot is due.

    Raises:
        UsageError: the pod's environment is not what `clocks export kubernetes` writes.
    """
    uids = {name: os.environ.get(name, "") for name in (KUBERNETES_JOB_UID, KUBERNETES_POD_UID)}
    for name, uid in uids.items():
        if not UID.fullmatch(uid):
            raise UsageError(f"{name} {uid}: expected a UID, which the downward API gives")
    run.invocation_id = uids[KUBERNETES_POD_UID]
    run.trigger = "manual"
    started_for = _nominal_minute(os.environ[KUBERNETES_JOB], now)
    if started_for is None or trigger is None:
        return True
    run.trigger = "timer"
    slot = nominal.nominal_time(trigger, started_for + MINUTE - timedelta(microseconds=1))
    if slot is None or slot < started_for:
        logger.info("nothing is due at %s, for which the CronJob started this pod", rfc3339(started_for))
        return False
    run.scheduled_at, run.run_id = slot, uids[KUBERNETES_JOB_UID]
    return True


def _nominal_minute(job: str, now: datetime) -> datetime | None:
    """The instant that a Job's name has; None if it is no CronJob's, or one that no CronJob can have started now."""
    match = SCHEDULED_JOB.fullmatch(job)
    at = from_epoch(int(match[1]) * 60) if match else None
    return at if at and now - MAX_AGE <= at <= now + MINUTE else None


def next_attempt(run: Run) -> int:
    """Which attempt at its slot this pod is: one more than an earlier pod of its Job. Raises what `execute` does."""
    values = {"run_id": run.run_id, "pod": run.invocation_id}
    [(attempt,)] = database.execute(statements.NEXT_ATTEMPT, values)
    return int(attempt)
