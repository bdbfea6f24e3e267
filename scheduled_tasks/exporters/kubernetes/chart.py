"""Write the same objects as a Helm chart: what differs between installations is a value, the rest is as exported.

The templates are the objects' YAML with expressions at the places of those values, so that the chart with its default
values gives the objects of the plain export (a test compares them).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks.exporters.kubernetes import yaml_text
from scheduled_tasks.exporters.kubernetes.cluster import MANAGED_BY, NAMESPACE, Cluster, Object
from scheduled_tasks.exporters.kubernetes.export import KUSTOMIZATION, SECRETS, export
from scheduled_tasks.exporters.kubernetes.watch import MANIFESTS_DIGEST

if TYPE_CHECKING:
    from scheduled_tasks.clock import ClockSpec
    from scheduled_tasks.conversion_report import Report

NAME = "scheduled-tasks"
CLOCK, JOB = "scheduled-tasks/clock", "scheduled-tasks/job"
WIDTH = 1 << 20  # no line is folded: an expression must stay in one
MARK = "@@clocks:"  # in front of an expression while it is a text of an object; @@ is behind it
EXPRESSION = re.compile(f"'{MARK}(?P<alone>[^@]+)@@'|{MARK}(?P<within>[^@]+)@@")
NOTES = """\
The CronJobs run as {{ .Values.cluster }}/{{ .Release.Namespace }}, the name of this host in the ledger.

They need the Secrets {{ .Values.secret }} and {{ .Values.watchSecret }}, which this chart does not create: see
secret.example.yaml beside it for their keys.
"""


@dataclass(frozen=True)
class Chart:
    """The chart's files by path, the skeleton of the Secrets, and the report of the export."""

    files: dict[str, str]
    report: Report


def chart(  # noqa: PLR0913 - what a chart contains
    clocks: Iterable[ClockSpec], cluster: Cluster, *, base: Path, now: datetime, configuration: str, version: str
) -> Chart:
    """Write the chart of some clocks; arguments as of `export`, and the chart's own version."""
    # Helm chooses the namespace, and what a person sets is written by expressions.
    plain = replace(cluster, namespace="", pull_secrets=(), service_account="", node_selector={})
    exported = export(clocks, plain, base=base, now=now, configuration=configuration)
    jobs: dict[str, Any] = {}
    files = {"Chart.yaml": yaml_text.dump([_chart(cluster, version)])}
    for path, objects in exported.objects.items():
        if path not in {KUSTOMIZATION, SECRETS}:
            templates = [_template(object_, jobs) for object_ in objects]
            files[f"templates/{path}"] = _with_expressions(yaml_text.dump(templates, width=WIDTH))
    files["templates/NOTES.txt"] = NOTES
    files["values.yaml"] = _values(cluster, jobs, configuration)
    files["secret.example.yaml"] = yaml_text.dump(exported.objects[SECRETS])
    files[".helmignore"] = "secret.example.yaml\nREPORT.md\nreport.json\n"
    return Chart(files, replace(exported.report, origin="Helm", written=tuple(files)))


def _chart(cluster: Cluster, version: str) -> Object:
    tag = cluster.image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    return {
        "apiVersion": "v2",
        "name": NAME,
        "description": "The jobs of the project's clocks as CronJobs, and the watch that accounts for their slots.",
        "type": "application",
        "version": version,
        "appVersion": tag or "latest",
    }


def _values(cluster: Cluster, jobs: Mapping[str, Any], configuration: str) -> str:
    """values.yaml: what concerns all pods, then each job's own."""
    common: Object = {
        "image": cluster.image,
        "imagePullPolicy": cluster.effective_pull_policy,
        "imagePullSecrets": [{"name": name} for name in cluster.pull_secrets],
        "serviceAccountName": cluster.service_account,
        "nodeSelector": dict(sorted(cluster.node_selector.items())),
        "ttlSecondsAfterFinished": cluster.keep_finished,
    }
    names = {"configMap": cluster.config_map, "secret": cluster.secret, "watchSecret": cluster.watch_secret}
    parts: list[tuple[str, Object]] = [
        ("Of all pods.", common),
        ("The cluster's name in the ledger, whose host is CLUSTER/NAMESPACE: each cluster has a name of its own.",
         {"cluster": cluster.name}),
        ("The ConfigMap that this chart writes, and the Secrets that it expects.", names),
        ("config.toml of the project.", {"configuration": configuration}),
        ("Each job, as CLOCK/JOB.", {"jobs": dict(jobs)}),
    ]  # fmt: skip
    return "\n".join(f"# {comment}\n{yaml_text.dump([values])}" for comment, values in parts)


def _template(plain: Object, jobs: dict[str, Any]) -> Object:
    """An object with expressions at the places of values; the values of its job are added to `jobs`."""
    plain = json.loads(json.dumps(plain))  # a copy of its own
    _label(plain)
    kind = plain["kind"]
    if kind == "CronJob":
        _cron_job(plain, jobs)
    elif kind == "Deployment":
        template = plain["spec"]["template"]
        _pod(template["spec"], ".Values.watchSecret")
        digest = template["metadata"]["annotations"][MANIFESTS_DIGEST]
        changes = "(list .Values.jobs .Values.configuration) | toJson | sha256sum | trunc 16"
        template["metadata"]["annotations"][MANIFESTS_DIGEST] = f"{digest}-{_marked(changes)}"
        [container] = template["spec"]["containers"]
        host = f"--host={_marked('.Values.cluster')}/$({NAMESPACE})"
        container["command"] = [host if word.startswith("--host=") else word for word in container["command"]]
    elif CLOCK in plain["metadata"]["labels"]:
        plain["data"] = {name: _manifest(text) for name, text in plain["data"].items()}
    else:
        plain["metadata"]["name"] = _marked(".Values.configMap | quote")
        plain["data"] = {"config.toml": _marked(".Values.configuration | toJson")}
    return plain


def _label(value: Any) -> None:
    """Give all labels, except those that a Deployment selects, the release's."""
    if isinstance(value, dict):
        if value.get("app.kubernetes.io/managed-by") == MANAGED_BY:
            value["app.kubernetes.io/managed-by"] = _marked(".Release.Service")
            value["app.kubernetes.io/instance"] = _marked(".Release.Name | quote")
            value["helm.sh/chart"] = f"{_marked('.Chart.Name')}-{_marked('.Chart.Version')}"
        for inner in value.values():
            _label(inner)
    elif isinstance(value, list):
        for inner in value:
            _label(inner)


def _cron_job(plain: Object, jobs: dict[str, Any]) -> None:
    spec = plain["spec"]
    job = spec["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    [container] = pod["containers"]
    labels = plain["metadata"]["labels"]
    command = container["command"]
    named = next(word.partition("=")[2] for word in command if word.startswith("--job="))
    name = f"{labels[CLOCK]}/{named}"
    jobs[name] = {"suspend": spec["suspend"], "resources": container["resources"]}
    spec["suspend"] = _marked(f"{_of_job(name)}.suspend")
    container["resources"] = _marked(f"{_of_job(name)}.resources | toJson")
    job["ttlSecondsAfterFinished"] = _marked(".Values.ttlSecondsAfterFinished")
    _pod(pod, ".Values.secret")


def _of_job(name: str) -> str:
    return f'(index .Values.jobs "{name}")'


def _pod(pod: Object, secret: str) -> None:
    [container] = pod["containers"]
    container["image"] = _marked(".Values.image | quote")
    container["imagePullPolicy"] = _marked(".Values.imagePullPolicy")
    for variable in container["env"]:
        if variable["name"] == "SCHEDULED_TASKS_HOST":
            variable["value"] = f"{_marked('.Values.cluster')}/$({NAMESPACE})"
    for volume in pod["volumes"]:
        if volume["name"] == "configuration":
            volume["configMap"]["name"] = _marked(".Values.configMap | quote")
        elif volume["name"] == "credentials":
            volume["secret"]["secretName"] = _marked(f"{secret} | quote")
    pod["serviceAccountName"] = _marked(".Values.serviceAccountName | quote")
    pod["imagePullSecrets"] = _marked(".Values.imagePullSecrets | toJson")
    pod["nodeSelector"] = _marked(".Values.nodeSelector | toJson")


def _manifest(text: str) -> str:
    """A manifest in which a job is paused if its value says so."""
    lines = []
    for line in text.splitlines():
        if line.startswith('{"clock"'):
            job = json.loads(line.rstrip(","))
            of_job = _of_job(f"{job['clock']}/{job['job']}")
            paused = f'"paused": {json.dumps(job["options"]["paused"])}'
            line = line.replace(paused, f'"paused": {_marked(f"{of_job}.suspend")}', 1)  # noqa: PLW2901 - with its mark
        lines.append(line)
    return "\n".join(lines) + "\n"


def _marked(expression: str) -> str:
    return f"{MARK}{expression}@@"


def _with_expressions(text: str) -> str:
    """The YAML as a template: what Go would read as an expression is literal, and our places become expressions."""
    literal = text.replace("{{", '{{ "{{" }}')
    return EXPRESSION.sub(lambda match: f"{{{{ {match['alone'] or match['within']} }}}}", literal)
