"""Write what stands beside the CronJobs: the configuration, a skeleton of the Secrets, and a kustomization."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.exporters.kubernetes.cluster import Cluster, Object, config_map, labels, metadata

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "tool.scheduled_tasks"  # of a pyproject.toml


def configuration_text(path: Path) -> str:
    """The project's configuration as a config.toml: that file, or its table of a pyproject.toml, with its comments.

    Raises:
        ConfigurationError: the table is written in another way than as [tool.scheduled_tasks] and tables in it.
    """
    text = path.read_text(encoding="utf-8")
    if path.name != "pyproject.toml":
        return text
    lines, inside = [], False
    for line in text.splitlines():
        header = line.partition("#")[0].strip()
        if header.startswith("["):
            name = header.strip("[] ")
            inside = name == TABLE or name.startswith(f"{TABLE}.")
            if name == TABLE:
                continue
            line = line.replace(f"{TABLE}.", "", 1)  # noqa: PLW2901 - the line without its table's name
        if inside:
            lines.append(line.rstrip())
    written = "\n".join(lines).strip() + "\n"
    if tomllib.loads(written) != tomllib.loads(text).get("tool", {}).get("scheduled_tasks"):
        raise ConfigurationError(f"{path}: write the configuration as [{TABLE}] and tables [{TABLE}.NAME], for export")
    return written


def configuration(cluster: Cluster, text: str) -> Object:
    """The ConfigMap with config.toml."""
    return config_map(cluster, cluster.config_map, labels("configuration"), {"config.toml": text})


def secrets(cluster: Cluster) -> list[Object]:
    """The Secrets without their values, which belong to no git."""
    keys = {cluster.secret: cluster.credentials, cluster.watch_secret: cluster.watch_credentials}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata(cluster, name, labels("credentials")),
            "type": "Opaque",
            "stringData": dict.fromkeys(names, ""),
        }
        for name, names in keys.items()
    ]


def kustomization(cluster: Cluster, files: Iterable[str]) -> Object:
    """The kustomization.yaml of a folder: its files, without the skeleton of the Secrets."""
    plain: Object = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    if cluster.namespace:
        plain["namespace"] = cluster.namespace
    return {**plain, "resources": sorted(files)}
