"""Write a job as a CronJob (batch/v1).

Its container runs run-task as a job's service does. A pod claims the slot of its Job's name (run/kubernetes/pod.py), so
the schedule as run-task evaluates it decides what is due, and a start for which nothing is due runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from scheduled_tasks.exporters.kubernetes.cluster import (
    Cluster,
    Object,
    environment,
    from_pod,
    in_bytes,
    labels,
    literal,
    metadata,
    mounts,
    pod_spec,
    volumes,
    whole_seconds,
)
from scheduled_tasks.exporters.kubernetes.manifest import POD_START, attempt_seconds, retry_seconds, run_seconds
from scheduled_tasks.render.host import credentials_of
from scheduled_tasks.run.current import KUBERNETES_JOB, KUBERNETES_JOB_UID, KUBERNETES_POD_UID

if TYPE_CHECKING:
    from scheduled_tasks.clock import Job
    from scheduled_tasks.exporters.cron_words import CronWords
    from scheduled_tasks.options import Options

MAX_NAME_LENGTH = 52  # of a CronJob: its Jobs get eleven characters more
MIN_DEADLINE = 60  # seconds; below ten a CronJob may never start
# Of a job that is caught up however late it is: a year. Without a deadline, Kubernetes counts all missed starts since
# the last one, and complains of more than a hundred.
MAX_DEADLINE = 366 * 86_400
JOBS_KEPT = 3
STOP_SECONDS = 90  # as systemd gives a service to stop


def cron_job(job: Job, options: Options, words: CronWords, cluster: Cluster, taken: set[str]) -> Object:
    """The CronJob of a job; `options` are its own, its clock's and the defaults, `taken` the names so far."""
    labelled = labels("job", clock=job.clock, job=job.id[:63].strip("_"))
    spec = {
        "schedule": words.fields,
        "timeZone": "Etc/UTC" if words.zone == "UTC" else words.zone,
        # Another host may run the slot before, so run-task waits for its turn itself.
        "concurrencyPolicy": "Allow" if options.text("overlap") == "queue" else "Forbid",
        "suspend": job.paused,
        "startingDeadlineSeconds": start_deadline(job),
        "successfulJobsHistoryLimit": JOBS_KEPT,
        "failedJobsHistoryLimit": JOBS_KEPT,
        "jobTemplate": {"metadata": {"labels": labelled}, "spec": _job(job, options, cluster, labelled)},
    }
    named = metadata(cluster, _name(job, taken), labelled)
    if job.description:
        named["annotations"] = {"scheduled-tasks/description": job.description}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": named, "spec": spec}


def start_deadline(job: Job) -> int:
    """How many seconds late a CronJob may create the Job of a slot."""
    if job.grace is not None:
        return max(job.grace, MIN_DEADLINE)
    return MAX_DEADLINE if job.catch_up else MIN_DEADLINE


def _name(job: Job, taken: set[str]) -> str:
    plain = re.sub(r"-+", "-", f"{job.clock}-{job.id}".replace("_", "-")).strip("-")
    name = plain
    if len(plain) > MAX_NAME_LENGTH or plain in taken:
        mark = sha256(f"{job.clock}/{job.id}".encode()).hexdigest()[:8]
        name = f"{plain[: MAX_NAME_LENGTH - 9].strip('-')}-{mark}"
    taken.add(name)
    return name


def _job(job: Job, options: Options, cluster: Cluster, labelled: dict[str, str]) -> Object:
    final = {"action": "FailJob", "onExitCodes": {"containerName": "task", "operator": "In", "values": [64, 78]}}
    retries = int(options.text("retries", "0"))
    container: Object = {"name": "task", "command": list(_command(job, options))}
    if folder := options.text("working_directory"):
        container["workingDir"] = folder
    container["env"] = _environment(options, cluster)
    container["resources"] = _resources(options, cluster)
    container["volumeMounts"] = mounts()
    keys = credentials_of("", cluster.credentials) | credentials_of(job.clock, cluster.credentials)
    pod = pod_spec(
        cluster,
        container,
        volumes(cluster, cluster.secret, keys),
        restartPolicy="Never",
        activeDeadlineSeconds=attempt_seconds(options),
        terminationGracePeriodSeconds=STOP_SECONDS,
    )
    return {
        "activeDeadlineSeconds": run_seconds(options) + retry_seconds(retries),
        "backoffLimit": retries,
        "ttlSecondsAfterFinished": cluster.keep_finished,
        "podFailurePolicy": {"rules": [final]},
        "podReplacementPolicy": "Failed",  # the next attempt starts when the last one is gone
        "template": {"metadata": {"labels": labelled}, "spec": pod},
    }


def _command(job: Job, options: Options) -> Iterator[str]:
    schedule = json.dumps(job.trigger.to_json(), separators=(",", ":"))
    words = ["run-task", *task_words(job, options), f"--schedule={schedule}"]
    if job.grace is not None:
        words.append(f"--grace={max(job.grace, POD_START)}")
    words.append(f"--timeout={whole_seconds(options.timeout)}")
    if overlap := options.text("overlap"):
        words.append(f"--overlap={overlap}")
    return map(literal, words)


def task_words(job: Job, options: Options) -> list[str]:
    """The arguments of run-task for a job, without those that concern its slot."""
    words = [job.task, f"--clock={job.clock}", f"--job={job.id}"]
    if job.args is not None:
        words.append(f"--args={json.dumps(job.args)}")
    if job.kwargs:
        words.append(f"--kwargs={json.dumps(job.kwargs)}")
    if policy := options.text("on_database_error"):
        words.append(f"--on-database-error={policy}")
    return words


def _environment(options: Options, cluster: Cluster) -> list[Object]:
    named = options.by_name.get("environment", ())
    pairs = [text.partition("=") for text in named] if isinstance(named, tuple) else []
    return [
        *environment(cluster, {name: value for name, _, value in pairs}),
        from_pod(KUBERNETES_JOB, "metadata.labels['batch.kubernetes.io/job-name']"),
        from_pod(KUBERNETES_JOB_UID, "metadata.labels['batch.kubernetes.io/controller-uid']"),
        from_pod(KUBERNETES_POD_UID, "metadata.uid"),
    ]


def _resources(options: Options, cluster: Cluster) -> Object:
    limits, requests = {}, {"memory": cluster.request_memory, "cpu": cluster.request_cpu}
    if not (memory := options.text("memory_max")).endswith("%"):
        limits["memory"] = re.sub(r"([KMGT])$", r"\1i", memory)
        requests["memory"] = min(limits["memory"], cluster.request_memory, key=in_bytes)
    if quota := options.text("cpu_quota"):
        limits["cpu"] = f"{int(quota.rstrip('%')) * 10}m"
        requests["cpu"] = min(limits["cpu"], cluster.request_cpu, key=_processors)
    return {"requests": requests, "limits": limits}


def _processors(quantity: str) -> float:
    return float(quantity.removesuffix("m")) / (1000 if quantity.endswith("m") else 1)
