"""Write the watch: a Deployment of one pod that accounts for the slots of the CronJobs, and tells of what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from scheduled_tasks.exporters.kubernetes.cluster import (
    MANIFESTS,
    Cluster,
    Object,
    environment,
    labels,
    metadata,
    mounts,
    pod_spec,
    volumes,
)

NAME = "scheduled-tasks-watch"
EVERY = 60  # seconds between two looks, as of the timer on a host
MANIFESTS_DIGEST = "scheduled-tasks/jobs"  # the annotation with which the pod is replaced when a manifest changes
RESOURCES = {"requests": {"memory": "96Mi", "cpu": "10m"}, "limits": {"memory": "512Mi"}}


def watch(cluster: Cluster, manifests: Iterable[Object], configuration: Iterable[Object] = ()) -> Object:
    """The Deployment; `manifests` are the ConfigMaps with the jobs, `configuration` that with config.toml."""
    manifests, others = list(manifests), list(configuration)
    labelled = labels("watch")
    selected = {name: labelled[f"app.kubernetes.io/{name}"] for name in ("name", "component")}
    selector = {f"app.kubernetes.io/{name}": value for name, value in selected.items()}
    container: Object = {
        "name": "watch",
        "command": ["clocks", "watch", f"--host={cluster.host}", f"--jobs={MANIFESTS}", f"--every={EVERY}", "--quiet"],
        "env": environment(cluster),
        "resources": RESOURCES,
        "volumeMounts": [*mounts(), {"name": "jobs", "mountPath": MANIFESTS, "readOnly": True}],
    }
    sources = [{"configMap": {"name": config_map["metadata"]["name"]}} for config_map in manifests]
    keys = {name: name for name in cluster.watch_credentials}
    jobs = {"name": "jobs", "projected": {"sources": sources}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(cluster, NAME, labelled),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "strategy": {"type": "Recreate"},  # never two, of which the older one would report the older jobs
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labelled, "annotations": {MANIFESTS_DIGEST: digest([*manifests, *others])}},
                "spec": pod_spec(cluster, container, [*volumes(cluster, cluster.watch_secret, keys), jobs]),
            },
        },
    }


def digest(manifests: Iterable[Mapping[str, Mapping[str, str]]]) -> str:
    """A hash of what the watch reads when it starts."""
    texts = [text for config_map in manifests for _, text in sorted(config_map["data"].items())]
    return sha256("\0".join(texts).encode()).hexdigest()[:16]
