"""Export clocks: the objects of each file, in order, and the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks.conversion_report import Entry, Report
from scheduled_tasks.exporters.cron_words import cron_words
from scheduled_tasks.exporters.kubernetes import image, options, skeletons
from scheduled_tasks.exporters.kubernetes.cluster import Cluster, Object
from scheduled_tasks.exporters.kubernetes.cron_job import cron_job
from scheduled_tasks.exporters.kubernetes.manifest import manifest_object
from scheduled_tasks.exporters.kubernetes.watch import watch
from scheduled_tasks.options import DEFAULT_OPTIONS
from scheduled_tasks.schedule import describe

if TYPE_CHECKING:
    from scheduled_tasks.clock import ClockSpec, Job

SECRETS = "secret.example.yaml"  # to be filled in elsewhere, so not a part of the kustomization
KUSTOMIZATION = "kustomization.yaml"


@dataclass(frozen=True)
class Exported:
    """Objects by path, and the report."""

    objects: dict[str, list[Object]]
    report: Report


def export(
    clocks: Iterable[ClockSpec], cluster: Cluster, *, base: Path, now: datetime, configuration: str = ""
) -> Exported:
    """Write the objects of some clocks.

    Args:
        clocks: whose jobs become CronJobs.
        cluster: the names of the cluster.
        base: what paths in the report are relative to.
        now: the start of the period whose dates the report names.
        configuration: the text of config.toml; without one, no ConfigMap for it is written.
    """
    objects: dict[str, list[Object]] = {}
    manifests: list[Object] = []
    entries: list[Entry] = []
    taken: set[str] = set()
    for clock in sorted(clocks, key=lambda clock: clock.name):
        cron_jobs, jobs = [], []
        for job in clock.jobs:
            exported = _export_job(clock, job, cluster, now, base, taken)
            entries.append(exported[0])
            if exported[1]:
                cron_jobs.append(exported[1])
                jobs.append(job)
        if cron_jobs:
            manifests.append(manifest_object(cluster, clock, jobs))
            objects[f"clock-{clock.name.replace('_', '-')}.yaml"] = [manifests[-1], *cron_jobs]
    configured = [skeletons.configuration(cluster, configuration)] if configuration else []
    if configured:
        objects["configuration.yaml"] = configured
    if manifests:
        objects["watch.yaml"] = [watch(cluster, manifests, configured)]
    objects[KUSTOMIZATION] = [skeletons.kustomization(cluster, list(objects))]
    objects[SECRETS] = skeletons.secrets(cluster)
    return Exported(objects, Report("Kubernetes", tuple(entries), _general(cluster), tuple(objects), verb="exported"))


def _export_job(  # noqa: PLR0913, PLR0917 - what an entry needs
    clock: ClockSpec, job: Job, cluster: Cluster, now: datetime, base: Path, taken: set[str]
) -> tuple[Entry, Object | None]:
    words, given = cron_words(job.trigger, now), job.options.over(clock.options)
    differences = (*options.differences(job, given, words), *image.differences(job, given))
    file = job.file.removeprefix(f"{base}/")
    due = describe(job.trigger)
    entry = Entry(file, job.line, "", "", f"{clock.name}/{job.id}", due, differences).with_outcome()
    if entry.outcome == "refused":
        return entry, None
    return entry, cron_job(job, given.over(DEFAULT_OPTIONS), words, cluster, taken)


def _general(cluster: Cluster) -> tuple[str, ...]:
    keys = ", ".join(cluster.credentials) or "none"
    watch_keys = ", ".join(cluster.watch_credentials) or "none"
    return (
        "flags, rows of runs, claims of slots and log lines stay: the container runs the same run-task",
        "the Deployment scheduled-tasks-watch accounts for the slots: what Kubernetes doesn't start is missed",
        f"the ledger's host is {cluster.name}/NAMESPACE: give each cluster a name of its own (--cluster)",
        "a run that is killed (out of memory, a lost node) is lost when its time limit is over, or its next pod starts",
        "a start may come up to five minutes late, for its pod to be scheduled, before it counts as missed",
        "after a change of its schedule, Kubernetes starts at once what the new one had since the job's last start",
        f"the ConfigMap {cluster.config_map} has config.toml; keys of a host (user, allow_network, …) have no effect",
        f"fill in the Secrets, but not in git: {cluster.secret} ({keys}) and {cluster.watch_secret} ({watch_keys})",
        "no cluster has checked this: the objects are valid by Kubernetes' schemas",
    )
