"""What the objects of an export have in common: the names that they refer to, their labels, how their pods start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduled_tasks.options import seconds_of
from scheduled_tasks.run.current import HOST

Object = dict[str, Any]

CONFIGURATION = "/etc/scheduled-tasks"
CREDENTIALS = "/run/credentials/scheduled-tasks"
MANIFESTS = "/etc/scheduled-tasks-jobs"
MANAGED_BY = "clocks-export"
NAMESPACE = "SCHEDULED_TASKS_NAMESPACE"
NOBODY = 65532  # the image's user


@dataclass(frozen=True)
class Cluster:
    """Names that the objects refer to, and what all pods have in common.

    Attributes:
        image: with run-task and the tasks.
        name: of the cluster; the ledger's name of the host is NAME/NAMESPACE.
        namespace: with "", kubectl or Helm chooses it.
        config_map: has config.toml.
        secret: has the credentials that tasks read with `setting()`.
        watch_secret: has the credentials of the watch, which no job gets.
        credentials: the keys of the first.
        watch_credentials: those of the second.
        pull_policy: of the image.
        pull_secrets: with which the image is pulled.
        service_account: of the pods; "" for the namespace's default one.
        node_selector: labels that a node must have.
        keep_finished: seconds for which a finished Job and its pods are kept.
        request_cpu, request_memory: what the scheduler reserves for a pod, unless its limit is lower.
    """

    image: str
    name: str = "kubernetes"
    namespace: str = ""
    config_map: str = "scheduled-tasks"
    secret: str = "scheduled-tasks"  # noqa: S105 - the name of one
    watch_secret: str = "scheduled-tasks-watch"  # noqa: S105 - the same
    credentials: tuple[str, ...] = ()
    watch_credentials: tuple[str, ...] = ("database_url",)
    pull_policy: str = ""
    pull_secrets: tuple[str, ...] = ()
    service_account: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    keep_finished: int = 3 * 86_400
    request_cpu: str = "10m"
    request_memory: str = "64Mi"

    @property
    def host(self) -> str:
        """The ledger's name of the host; a pod has its namespace in place of $(…), also if an overlay changes it."""
        return f"{self.name}/$({NAMESPACE})"

    @property
    def effective_pull_policy(self) -> str:
        """The pull policy; if none is given, Kubernetes' default, so that the objects show it."""
        tag = self.image.rpartition("/")[2].partition(":")[2]
        return self.pull_policy or ("Always" if tag in {"", "latest"} and "@" not in self.image else "IfNotPresent")


def labels(component: str, **own: str) -> dict[str, str]:
    """The labels of an object; `own` are those of this project."""
    return {
        "app.kubernetes.io/name": "scheduled-tasks",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "scheduled-tasks",
        "app.kubernetes.io/managed-by": MANAGED_BY,
        **{f"scheduled-tasks/{name}": value for name, value in own.items()},
    }


def metadata(cluster: Cluster, name: str, labelled: Mapping[str, str]) -> Object:
    """The metadata of an object; without a namespace, kubectl chooses it."""
    named: Object = {"name": name}
    if cluster.namespace:
        named["namespace"] = cluster.namespace
    return {**named, "labels": dict(labelled)}


def config_map(cluster: Cluster, name: str, labelled: Mapping[str, str], data: Mapping[str, str]) -> Object:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(cluster, name, labelled), "data": dict(data)}


def pod_spec(cluster: Cluster, container: Object, volumes: Iterable[Object], **own: object) -> Object:
    """The spec of a pod that is as restricted as a job's service is."""
    spec: Object = {**own}
    if cluster.service_account:
        spec["serviceAccountName"] = cluster.service_account
    spec["automountServiceAccountToken"] = False
    if cluster.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in cluster.pull_secrets]
    if cluster.node_selector:
        spec["nodeSelector"] = dict(sorted(cluster.node_selector.items()))
    profile = {"seccompProfile": {"type": "RuntimeDefault"}}
    spec["securityContext"] = {"runAsNonRoot": True, "fsGroup": NOBODY, **profile}
    spec["containers"] = [
        {
            "name": container["name"],
            "image": cluster.image,
            "imagePullPolicy": cluster.effective_pull_policy,
            **{key: value for key, value in container.items() if key != "name"},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ]
    spec["volumes"] = list(volumes)
    return spec


def environment(cluster: Cluster, own: Mapping[str, str] | None = None) -> list[Object]:
    """The variables of a container: its own, where its files are, and the ledger's name of this host."""
    plain = {**(own or {}), "SCHEDULED_TASKS_CONFIG": f"{CONFIGURATION}/config.toml"}
    plain["CREDENTIALS_DIRECTORY"] = CREDENTIALS
    variables: list[Object] = [{"name": name, "value": literal(value)} for name, value in plain.items()]
    return [*variables, from_pod(NAMESPACE, "metadata.namespace"), {"name": HOST, "value": cluster.host}]


def from_pod(name: str, path: str) -> Object:
    """A variable with a field of the pod, by the downward API."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def literal(text: str) -> str:
    """A text as Kubernetes has to read it in commands and variables: it expands $(NAME), and takes $$ for a dollar."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def mounts() -> list[Object]:
    """What every container has mounted: a folder for temporary files, the configuration, the credentials."""
    return [
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        {"name": "configuration", "mountPath": CONFIGURATION, "readOnly": True},
        {"name": "credentials", "mountPath": CREDENTIALS, "readOnly": True},
    ]


def volumes(cluster: Cluster, secret: str, files: Mapping[str, str]) -> list[Object]:
    """The volumes for these; `files` are the keys of the Secret by the names that the pod gets, none for all."""
    source: Object = {"secretName": secret, "defaultMode": 0o440}
    if files:
        source["items"] = [{"key": key, "path": name} for name, key in files.items()]
    return [
        {"name": "tmp", "emptyDir": {}},
        {"name": "configuration", "configMap": {"name": cluster.config_map}},
        {"name": "credentials", "secret": source},
    ]


def whole_seconds(span: str) -> int:
    """A span of an option in seconds, rounded up."""
    return -int(-seconds_of(span) // 1)


def in_bytes(quantity: str) -> float:
    """A quantity of memory such as 64Mi or 1.5Gi, in bytes."""
    number, unit = quantity.rstrip("KMGTi"), quantity.lstrip("0123456789.").rstrip("i")
    return float(number) * 1024.0 ** ("KMGT".index(unit) + 1 if unit else 0)
