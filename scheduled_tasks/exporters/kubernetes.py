"""Write clocks as Kubernetes CronJobs, one file for each clock, with a report of what a CronJob can't keep.

The objects (batch/v1) are plain dictionaries. Labels, CronJobs and a Secret do what slices, timers and credentials do
under systemd.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from math import ceil
from pathlib import Path
from typing import Any

from scheduled_tasks.clock import ClockSpec, Job
from scheduled_tasks.conversion_report import Difference, Entry, Report
from scheduled_tasks.exporters.cron_words import CronWords, cron_words
from scheduled_tasks.options import DEFAULT_OPTIONS, Options, seconds_of
from scheduled_tasks.render.host import credentials_of
from scheduled_tasks.schedule import describe

MAX_NAME_LENGTH = 52  # of a CronJob: its Jobs get eleven characters more
START_DEADLINE = 60  # seconds, for a job that is not caught up; below ten seconds a CronJob may never start
JOBS_KEPT = 3
CONFIGURATION = "/etc/scheduled-tasks"
CREDENTIALS = "/run/credentials/scheduled-tasks"
KEPT_OPTIONS = {"timeout", "memory_max", "cpu_quota", "retries", "environment", "on_database_error"}
NOBODY_IS_TOLD = "no watch judges the CronJob's runs, so nobody is told of them: alert on its failed Jobs"
# All other options, with what happens instead; the report names those that are given.
LEFT_OUT = {
    "memory_high": "there is no soft limit", "cpu_weight": "set requests.cpu instead",
    "io_weight": "there is no such limit", "tasks_max": "the node's podPidsLimit applies",
    "nice": "there is no such setting",
    "retry_delay": "the delay is ten seconds, doubled each time", "retry_delay_max": "it is six minutes",
    "user": "the image's user runs it", "working_directory": "the image's is used",
    "read_write_paths": "mount a volume there", "allow_network": "write a NetworkPolicy",
    "after": "an init container could wait", "requires": "an init container could wait",
    "log_namespace": "there is no such setting", "relax": "the container stays restricted; change its securityContext",
    "per_host": "each run starts once in the cluster", "overlap": "a run is always skipped while another goes on",
    "catch_up_after_pause": "startingDeadlineSeconds decides what runs when suspend ends",
    "owner": "it is in the clock file only", "notify": NOBODY_IS_TOLD, "alert_after": NOBODY_IS_TOLD,
    "expected_duration": NOBODY_IS_TOLD, "expected_at_least": NOBODY_IS_TOLD, "quiet": NOBODY_IS_TOLD,
    "runbook": "it is in the clock file only", "ping": "call the URL in the task",
    "concurrency": "all of the clock's jobs may run at once",
}  # fmt: skip


@dataclass(frozen=True)
class Cluster:
    """Names that the objects refer to; with the namespace "", kubectl chooses it.

    `credentials` are the keys of the Secret that tasks read with `setting()`.
    """

    image: str
    namespace: str = ""
    config_map: str = "scheduled-tasks"
    secret: str = "scheduled-tasks"  # noqa: S105 - the name of one
    credentials: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exported:
    """Objects by path, and the report."""

    objects: dict[str, list[dict[str, Any]]]
    report: Report


def export(clocks: Iterable[ClockSpec], cluster: Cluster, *, base: Path, now: datetime) -> Exported:
    """Write the CronJobs of clocks; paths in the report are relative to `base`, its dates start at `now`."""
    objects: dict[str, list[dict[str, Any]]] = {}
    entries = []
    taken: set[str] = set()
    for clock in clocks:
        cron_jobs = []
        for job in clock.jobs:
            words, given = cron_words(job.trigger, now), job.options.over(clock.options)
            differences = (*words.differences, *_differences(job, given, words))
            file = job.file.removeprefix(f"{base}/")
            entry = Entry(file, job.line, "", "", f"{clock.name}/{job.id}", describe(job.trigger), differences)
            entries.append(entry.with_outcome())
            if entries[-1].outcome != "refused":
                cron_jobs.append(_cron_job(job, given.over(DEFAULT_OPTIONS), words, cluster, taken))
        if cron_jobs:
            objects[f"clock-{clock.name.replace('_', '-')}.yaml"] = cron_jobs
    general = (
        "flags, the rows of runs and log lines stay: the container runs the same run-task",
        "the ledger records no missed slots: nobody records what Kubernetes doesn't start, so monitor it",
        f"the ConfigMap {cluster.config_map} holds config.toml, the Secret {cluster.secret} a key for each credential",
    )
    return Exported(objects, Report("Kubernetes", tuple(entries), general, tuple(objects), verb="exported"))


def _differences(job: Job, given: Options, words: CronWords) -> Iterable[Difference]:
    for name, value in given.by_name.items():
        if name in LEFT_OUT and (name, value) != ("overlap", "skip"):  # concurrencyPolicy: Forbid skips
            yield Difference(name, f"{name} is not kept: {LEFT_OUT[name]}")
    if given.text("memory_max").endswith("%"):
        text = "a container's limit can't be a share of the machine's memory: no limit is written"
        yield Difference("memory_max", text)
    if job.catch_up and job.grace is None:
        text = "after a long outage Kubernetes starts the last missed run at most, and reports no others"
        yield Difference("catch_up", text)
    if words.guard:
        text = "the CronJob starts more often, and the container checks the date; a start after midnight would miss it"
        yield Difference("guard", text)


def _cron_job(job: Job, options: Options, words: CronWords, cluster: Cluster, taken: set[str]) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/name": "scheduled-tasks",
        "app.kubernetes.io/managed-by": "clocks-export",
        "scheduled-tasks/clock": job.clock,
        "scheduled-tasks/job": job.id[:63].strip("_"),
    }
    metadata: dict[str, Any] = {"name": _name(job, taken), "labels": labels}
    if cluster.namespace:
        metadata["namespace"] = cluster.namespace
    deadline = job.grace if job.grace is not None else None if job.catch_up else START_DEADLINE
    spec: dict[str, Any] = {
        "schedule": words.fields,
        "timeZone": "Etc/UTC" if words.zone == "UTC" else words.zone,
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": JOBS_KEPT,
        "failedJobsHistoryLimit": JOBS_KEPT,
    }
    if deadline is not None:
        spec["startingDeadlineSeconds"] = max(deadline, START_DEADLINE)
    if job.paused:
        spec["suspend"] = True
    spec["jobTemplate"] = {"metadata": {"labels": labels}, "spec": _job(job, options, words, cluster, labels)}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}


def _name(job: Job, taken: set[str]) -> str:
    plain = re.sub(r"-+", "-", f"{job.clock}-{job.id}".replace("_", "-")).strip("-")
    name = plain
    if len(plain) > MAX_NAME_LENGTH or plain in taken:
        mark = sha256(f"{job.clock}/{job.id}".encode()).hexdigest()[:8]
        name = f"{plain[: MAX_NAME_LENGTH - 9].strip('-')}-{mark}"
    taken.add(name)
    return name


def _job(job: Job, options: Options, words: CronWords, cluster: Cluster, labels: dict[str, str]) -> dict[str, Any]:
    final = {"action": "FailJob", "onExitCodes": {"containerName": "task", "operator": "In", "values": [64, 78]}}
    retries = int(options.text("retries", "0"))
    mounts = [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        {"name": "configuration", "mountPath": CONFIGURATION, "readOnly": True},
        {"name": "credentials", "mountPath": CREDENTIALS, "readOnly": True},
    ]
    volumes = [
        {"name": "tmp", "emptyDir": {}},
        {"name": "configuration", "configMap": {"name": cluster.config_map}},
        {"name": "credentials", "secret": _secret(cluster, job.clock)},
    ]
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "task",
                "image": cluster.image,
                "command": _command(job, options, words),
                "env": _environment(options, words),
                "resources": _resources(options),
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }
    return {
        # Our time limit is per attempt; a Job's is for all attempts together.
        "activeDeadlineSeconds": ceil(seconds_of(options.timeout)) * (retries + 1),
        "backoffLimit": retries,
        "podFailurePolicy": {"rules": [final]},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }


def _secret(cluster: Cluster, clock: str) -> dict[str, Any]:
    secret: dict[str, Any] = {"secretName": cluster.secret, "defaultMode": 0o440}
    if cluster.credentials:
        keys = credentials_of("", cluster.credentials) | credentials_of(clock, cluster.credentials)
        secret["items"] = [{"key": key, "path": name} for name, key in keys.items()]
    return secret


def run_task_words(job: Job, options: Options) -> list[str]:
    """The arguments of run-task for a job."""
    words = [job.task, f"--clock={job.clock}", f"--job={job.id}"]
    if job.args is not None:
        words.append(f"--args={json.dumps(job.args)}")
    if job.kwargs:
        words.append(f"--kwargs={json.dumps(job.kwargs)}")
    if policy := options.text("on_database_error"):
        words.append(f"--on-database-error={policy}")
    return words


def _command(job: Job, options: Options, words: CronWords) -> Sequence[str]:
    command = ["run-task", *run_task_words(job, options)]
    if words.guard:
        command = ["/bin/sh", "-c", f'if {words.guard}; then exec "$@"; fi', "guard", *command]
    return [word.replace("$(", "$$(") for word in command]  # Kubernetes expands $(NAME); $$ is a dollar


def _environment(options: Options, words: CronWords) -> list[dict[str, str]]:
    named = options.by_name.get("environment", ())
    pairs = [text.partition("=") for text in named] if isinstance(named, tuple) else []
    variables = {name: value for name, _, value in pairs}
    if words.guard:
        variables["TZ"] = words.zone
    variables |= {"SCHEDULED_TASKS_CONFIG": f"{CONFIGURATION}/config.toml", "CREDENTIALS_DIRECTORY": CREDENTIALS}
    return [{"name": name, "value": value.replace("$(", "$$(")} for name, value in variables.items()]


def _resources(options: Options) -> dict[str, dict[str, str]]:
    limits = {}
    if not (memory := options.text("memory_max")).endswith("%"):
        limits["memory"] = re.sub(r"([KMGT])$", r"\1i", memory)
    requests = dict(limits)
    if quota := options.text("cpu_quota"):
        limits["cpu"] = f"{int(quota.rstrip('%')) * 10}m"
    return {"limits": limits, "requests": requests | {"cpu": "10m"}}
