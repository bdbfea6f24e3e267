"""Clocks as Kubernetes CronJobs: one file a clock, and a report of what a CronJob can't keep.

In come clocks and what the cluster calls things; out come objects as plain dictionaries (batch/v1) and entries. What
systemd does by slices, timers and credentials is said by labels, CronJobs and a Secret.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from typing import TYPE_CHECKING, Any

from scheduled_tasks.conversion_report import Difference, Entry, Report
from scheduled_tasks.exporters.cron_words import CronWords, cron_words
from scheduled_tasks.options import DEFAULT_OPTIONS, Options, seconds_of
from scheduled_tasks.schedule import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from scheduled_tasks.clock import ClockSpec, Job

LONGEST_NAME = 52  # a CronJob's: its Jobs get eleven characters more
DEADLINE = 60  # seconds, for a job that is not caught up; below ten a CronJob may never start
KEPT = 3
CONFIGURATION = "/etc/scheduled-tasks"
CREDENTIALS = "/run/credentials/scheduled-tasks"
# What a container has no word for, with what becomes of it.
NOT_KEPT = {
    "memory_high": "there is no soft limit", "cpu_weight": "requests.cpu would say it", "io_weight": "there is none",
    "nice": "there is none", "user": "the image's user runs it", "working_directory": "the image's holds",
    "read_write_paths": "mount a volume there", "after": "an init container would wait",
    "log_namespace": "there is none",
    "requires": "an init container would wait", "retry_delay": "the delay is ten seconds, doubled each time",
    "retry_delay_max": "it is six minutes", "tasks_max": "the node's podPidsLimit holds",
    "allow_network": "write a NetworkPolicy", "concurrency": "all of the clock's jobs may run at once",
}  # fmt: skip


@dataclass(frozen=True)
class Cluster:
    """What the objects refer to: image, namespace ("" leaves it to kubectl), the ConfigMap and the Secret.

    `credentials` are the names of the Secret's keys that tasks read with `setting()`.
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
    """The CronJobs of clocks."""
    objects: dict[str, list[dict[str, Any]]] = {}
    entries = []
    taken: set[str] = set()
    for clock in clocks:
        found = []
        for job in clock.jobs:
            words = cron_words(job.trigger, now)
            effective = job.options.over(clock.options.over(DEFAULT_OPTIONS))
            differences = (*words.differences, *_not_kept(job, effective, words))
            shown = job.file.removeprefix(f"{base}/")
            entry = Entry(
                shown, job.line, "", "", f"{clock.name}/{job.id}", describe(job.trigger), differences
            ).with_outcome()
            entries.append(entry)
            if entry.outcome != "refused":
                found.append(_cron_job(job, effective, words, cluster, taken))
        if found:
            objects[f"clock-{clock.name.replace('_', '-')}.yaml"] = found
    general = (
        "a job's flag, its row and its log lines are as here: the container runs the very run-task",
        "the ledger of due slots is systemd's: what Kubernetes never starts is missed without a word; watch for it",
        f"the ConfigMap {cluster.config_map} holds config.toml, the Secret {cluster.secret} a key for each credential",
    )
    return Exported(objects, Report("Kubernetes", tuple(entries), general, tuple(objects), verb="exported"))


def _not_kept(job: Job, options: Options, words: CronWords) -> list[Difference]:
    found = []
    own = options.by_name
    for name, text in NOT_KEPT.items():
        if name in own and name not in DEFAULT_OPTIONS.by_name:
            found.append(Difference(name, f"{name} is not kept: {text}"))
    if options.text("memory_max").endswith("%"):
        found.append(
            Difference("memory_max", "a share of the machine's memory is no limit of a container: none is written")
        )
    if job.catch_up and job.grace is None:
        text = "after a long outage Kubernetes starts the last missed run at best, and says nothing of the others"
        found.append(Difference("catch_up", text))
    if words.guard:
        text = "the CronJob starts oftener, and the container looks at the date; a start after midnight would miss it"
        found.append(Difference("guard", text))
    return found


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
    deadline = job.grace if job.grace is not None else None if job.catch_up else DEADLINE
    spec: dict[str, Any] = {
        "schedule": words.fields,
        "timeZone": "Etc/UTC" if words.zone == "UTC" else words.zone,
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": KEPT,
        "failedJobsHistoryLimit": KEPT,
    }
    if deadline is not None:
        spec["startingDeadlineSeconds"] = max(deadline, DEADLINE)
    if job.paused:
        spec["suspend"] = True
    spec["jobTemplate"] = {"metadata": {"labels": labels}, "spec": _job(job, options, words, cluster, labels)}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}


def _name(job: Job, taken: set[str]) -> str:
    plain = re.sub(r"-+", "-", f"{job.clock}-{job.id}".replace("_", "-")).strip("-")
    name = plain
    if len(plain) > LONGEST_NAME or plain in taken:
        mark = sha256(f"{job.clock}/{job.id}".encode()).hexdigest()[:8]
        name = f"{plain[: LONGEST_NAME - 9].strip('-')}-{mark}"
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
        {"name": "credentials", "secret": _secret(cluster)},
    ]
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "task",
                "image": cluster.image,
                "command": _command(job, words),
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
        # A run's time limit holds for each attempt here; a Job's for all of them together.
        "activeDeadlineSeconds": ceil(seconds_of(options.timeout)) * (retries + 1),
        "backoffLimit": retries,
        "podFailurePolicy": {"rules": [final]},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }


def _secret(cluster: Cluster) -> dict[str, Any]:
    secret: dict[str, Any] = {"secretName": cluster.secret, "defaultMode": 0o440}
    if cluster.credentials:
        secret["items"] = [{"key": name, "path": name} for name in cluster.credentials]
    return secret


def run_task_words(job: Job) -> list[str]:
    """The words of the job's command, after the program."""
    words = [job.task, f"--clock={job.clock}", f"--job={job.id}"]
    if job.args is not None:
        words.append(f"--args={json.dumps(job.args)}")
    if job.kwargs:
        words.append(f"--kwargs={json.dumps(job.kwargs)}")
    return words


def _command(job: Job, words: CronWords) -> Sequence[str]:
    # $(NAME) in a command is Kubernetes' own; $$ is a dollar.
    plain = ["run-task", *run_task_words(job)]
    if words.guard:
        plain = ["/bin/sh", "-c", f'if {words.guard}; then exec "$@"; fi', "guard", *plain]
    return [word.replace("$(", "$$(") for word in plain]


def _environment(options: Options, words: CronWords) -> list[dict[str, str]]:
    named = options.by_name.get("environment", ())
    pairs = [text.partition("=") for text in named] if isinstance(named, tuple) else []
    found = {name: value for name, _, value in pairs}
    if words.guard:
        found["TZ"] = words.zone
    found |= {
        "SCHEDULED_TASKS_CONFIG": f"{CONFIGURATION}/config.toml",
        "CREDENTIALS_DIRECTORY": CREDENTIALS,
    }
    return [{"name": name, "value": value.replace("$(", "$$(")} for name, value in found.items()]


def _resources(options: Options) -> dict[str, dict[str, str]]:
    limits = {}
    if not (memory := options.text("memory_max")).endswith("%"):
        limits["memory"] = re.sub(r"([KMGT])$", r"\1i", memory)
    requests = dict(limits)
    if quota := options.text("cpu_quota"):
        limits["cpu"] = f"{int(quota.rstrip('%')) * 10}m"
    return {"limits": limits, "requests": requests | {"cpu": "10m"}}
