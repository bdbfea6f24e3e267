"""The objects of an export for Kubernetes, and the newest versions with a published schema."""

from __future__ import annotations

from typing import Any

from kubernetes_validate.utils import all_versions

from scheduled_tasks.exporters.kubernetes import Cluster, Exported

KNOWN = sorted({tuple(map(int, version.split(".")[:2])) for version in all_versions()})
NEWEST = [f"{major}.{minor}" for major, minor in KNOWN[-3:]]
CLUSTER = Cluster("registry.example.org/shop:1", name="prod", namespace="shop", credentials=("database_url",))


def jobs(exported: Exported) -> dict[str, dict[str, Any]]:
    objects = exported.objects["clock-to-export.yaml"]
    cron_jobs = [object_ for object_ in objects if object_["kind"] == "CronJob"]
    return {job["metadata"]["labels"]["scheduled-tasks/job"]: job for job in cron_jobs}


def pod(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def one(exported: Exported, path: str) -> dict[str, Any]:
    [only] = exported.objects[path]
    return only
