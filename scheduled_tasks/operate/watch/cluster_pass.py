"""One pass of the watch for a host without systemd: the CronJobs of a namespace of a Kubernetes cluster.

The jobs are read from the manifests that `clocks export kubernetes` writes beside the CronJobs, so the ledger has the
schedules as they are deployed. What no pod ran is recorded as missed, as for any host. Nothing here asks Kubernetes: a
run that was killed is lost when its time is over.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks.deploy.deployment_reports import digest
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.account import account
from scheduled_tasks.operate.feature_flags import revert_expired
from scheduled_tasks.operate.prune import prune_daily
from scheduled_tasks.operate.reconcile import close_expired_runs
from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.operate.watch.resolved_results import mark_resolved
from scheduled_tasks.operate.watch.slot_counts import count_slots
from scheduled_tasks.operate.watch.watch_pass import JUDGE, Pass
from scheduled_tasks.schedule.trigger import Trigger

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

KEYS = {"clock", "job", "task", "schedule", "options"}


def read_jobs(folder: Path) -> list[dict[str, Any]]:
    """The jobs of all manifests in a folder, by clock and job.

    Raises:
        ConfigurationError: there is none, or one of them is not a manifest.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise ConfigurationError(f"{folder} has no *.json: name the folder with the manifests of the export")
    jobs = [job for path in paths for job in _read_manifest(path)]
    return sorted(jobs, key=lambda job: (job["clock"], job["job"]))


def _read_manifest(path: Path) -> list[dict[str, Any]]:
    try:
        jobs = json.loads(path.read_text())["jobs"]
        for job in jobs:
            Trigger.from_json(job["schedule"])
        return [{key: job[key] for key in KEYS} for job in jobs]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} is not a manifest of jobs: {error!r}") from error


def run_cluster_pass(  # noqa: PLR0913 - what a pass needs to know
    connection: Connection,
    host: str,
    jobs: list[dict[str, Any]],
    now: datetime,
    *,
    release: str,
    keep_days: float,
    keep_logs: float,
    judge: Callable[[], None],
) -> Pass:
    """Take all steps; arguments as of `run_pass`. A step that fails is named in the result."""
    done = Pass()
    step = partial(done.step, connection)
    step("report what is deployed", partial(report_deployed, connection, host, jobs, now))
    done.account = step("account for slots", partial(account, connection, host, now, release))
    step("close runs that have expired", partial(_close_expired, connection, host))
    step("mark resolved results", partial(mark_resolved, connection, now))
    step(JUDGE, judge)
    step("count slots", partial(count_slots, connection))
    step("switch flags back", partial(revert_expired, connection))
    step("give up requests that nobody took", partial(request_rows.expire, connection))
    step("delete old runs", partial(prune_daily, connection, keep_days, now, keep_logs=keep_logs))
    return done


def report_deployed(connection: Connection, host: str, jobs: list[dict[str, Any]], now: datetime) -> int:
    """Report what is deployed, if it has changed; return how many jobs changed.

    The watch restarts when its manifests change, so a change counts from a few seconds after it was applied.
    """
    new = deployments.JobsReport(jobs, digest(json.dumps(jobs, sort_keys=True)), now, now)
    if deployments.reported_digest(connection, host) == new.digest:
        return 0
    return deployments.report(connection, host, new)


def _close_expired(connection: Connection, host: str) -> None:
    """Record expired runs as lost: an idempotent one too, unless a host with systemd has the job and can run it again.

    Kubernetes has retried it as often as it may, and the watch can start nothing.
    """
    close_expired_runs(connection)
    connection.execute(
        "UPDATE task_run AS run SET status = 'lost', ended_at = clock_timestamp(),"
        " reason = coalesce(reason, 'it expired, and its pod has not reported how it ended')"
        " WHERE run_id = ANY (ARRAY(SELECT run_id FROM task_run AS expired WHERE status = 'started'"
        "  AND host = %(host)s AND expires_at < clock_timestamp() AND NOT EXISTS (SELECT FROM deployed_job AS other"
        "   WHERE other.valid_until IS NULL AND other.clock = expired.clock AND other.job = expired.job"
        "    AND position('/' IN other.host) = 0) FOR UPDATE SKIP LOCKED))",
        {"host": host},
    )
