"""The Helm chart, rendered and linted by Helm itself: with its default values it is the plain export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from scheduled_tasks.cli import main
from scheduled_tasks.clock_file import read_clock
from scheduled_tasks.clock_job import ReadingContext
from scheduled_tasks.exporters.kubernetes import Cluster, export
from scheduled_tasks.exporters.kubernetes.chart import chart
from scheduled_tasks.operate.watch.cluster_pass import read_jobs
from tests.unit.exporters.clock_for_export import NOW, read
from tests.unit.exporters.kubernetes_objects import NEWEST

CONFIGURATION = 'domains = "shop"\n# {{ not .An.expression }}\n'
CLUSTER = Cluster(
    "registry.example.org/shop:1.4", name="prod", credentials=("database_url",), pull_secrets=("registry",),
    service_account="clocks", node_selector={"pool": "batch"},
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written = chart([read(tmp_path)], CLUSTER, base=tmp_path, now=NOW, configuration=CONFIGURATION, version="2.0.1")
    for name, text in written.files.items():
        path = tmp_path / "chart" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "chart"


def rendered(folder: Path, values: dict[str, Any] | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    """The objects of a release, by kind and name."""
    with helm.Chart.load(str(folder)) as loaded:
        files = loaded.render(values or {}, name="nightly", namespace="shop")
    objects = [
        object_
        for path, text in files.items()
        if not path.endswith("NOTES.txt")
        for object_ in yaml.safe_load_all(text)
    ]
    return {(object_["kind"], object_["metadata"]["name"]): object_ for object_ in objects}


def without_release(value: Any) -> Any:
    """An object without what only a release has: its labels, and the annotation that changes with its values."""
    if isinstance(value, list):
        return [without_release(item) for item in value]
    if not isinstance(value, dict):
        return value
    release = {"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart", "scheduled-tasks/jobs"}
    return {key: without_release(item) for key, item in value.items() if key not in release}


def test_helm_finds_nothing_wrong_with_the_chart(folder: Path) -> None:
    found = helm.lint(str(folder))
    assert (found["total_charts_linted"], found["errors"]) == (1, [])
    assert [message for message in found["messages"] if "icon is recommended" not in str(message)] == []


def test_helm_finds_a_broken_template(folder: Path) -> None:
    (folder / "templates/watch.yaml").write_text("a: {{ .Values.\n")
    assert helm.lint(str(folder))["errors"]
    with pytest.raises(helm.HelmError):
        rendered(folder)


def test_with_its_default_values_the_chart_is_the_plain_export(folder: Path, tmp_path: Path) -> None:
    plain = export([read(tmp_path)], CLUSTER, base=tmp_path, now=NOW, configuration=CONFIGURATION)
    expected = {
        (object_["kind"], object_["metadata"]["name"]): without_release(object_)
        for path, objects in plain.objects.items()
        if path not in {"kustomization.yaml", "secret.example.yaml"}
        for object_ in objects
    }
    of_release = {key: without_release(object_) for key, object_ in rendered(folder).items()}
    assert of_release.keys() == expected.keys()
    for key, object_ in of_release.items():
        assert object_ == expected[key]


@pytest.mark.parametrize("version", NEWEST)
def test_a_release_is_valid_by_the_published_schema(folder: Path, version: str) -> None:
    for object_ in rendered(folder).values():
        kubernetes_validate.validate(object_, version, strict=True)


def test_a_release_has_its_own_labels(folder: Path) -> None:
    labels = rendered(folder)["CronJob", "to-export-daily"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "Helm"
    assert labels["app.kubernetes.io/instance"] == "nightly"
    assert labels["helm.sh/chart"] == "scheduled-tasks-2.0.1"


def test_a_suspended_job_is_paused_in_the_manifest_of_the_watch_too(folder: Path, tmp_path: Path) -> None:
    before, after = (rendered(folder, {"jobs": {"to_export/daily": {"suspend": suspend}}}) for suspend in (False, True))
    assert [objects["CronJob", "to-export-daily"]["spec"]["suspend"] for objects in (before, after)] == [False, True]
    [text] = after["ConfigMap", "scheduled-tasks-jobs-to-export"]["data"].values()
    (tmp_path / "manifest").mkdir()
    (tmp_path / "manifest/jobs.json").write_text(text)
    paused = [job["job"] for job in read_jobs(tmp_path / "manifest") if job["options"]["paused"]]
    assert paused == ["daily", "paused"]
    digests = [
        objects["Deployment", "scheduled-tasks-watch"]["spec"]["template"]["metadata"]["annotations"][
            "scheduled-tasks/jobs"
        ]
        for objects in (before, after)
    ]
    assert digests[0] != digests[1]  # so the watch is restarted, and reads it


def test_values_reach_every_pod(folder: Path) -> None:
    resources = {"requests": {"memory": "2Gi"}, "limits": {"memory": "2Gi"}}
    objects = rendered(
        folder,
        {
            "image": "other:2", "imagePullPolicy": "Always", "imagePullSecrets": [{"name": "other"}],
            "serviceAccountName": "other", "nodeSelector": {"pool": "small"}, "ttlSecondsAfterFinished": 5,
            "cluster": "test", "configMap": "own", "secret": "jobs", "watchSecret": "watch",
            "jobs": {"to_export/often": {"resources": resources}},
        },
    )  # fmt: skip
    job = objects["CronJob", "to-export-often"]["spec"]["jobTemplate"]["spec"]
    watch = objects["Deployment", "scheduled-tasks-watch"]["spec"]
    assert job["ttlSecondsAfterFinished"] == 5
    assert job["template"]["spec"]["containers"][0]["resources"] == {
        "limits": {"memory": "2Gi", "cpu": "500m"}, "requests": {"memory": "2Gi", "cpu": "10m"}
    }  # fmt: skip
    assert "--host=test/$(SCHEDULED_TASKS_NAMESPACE)" in watch["template"]["spec"]["containers"][0]["command"]
    assert ("ConfigMap", "own") in objects
    for spec, secret in ((job["template"]["spec"], "jobs"), (watch["template"]["spec"], "watch")):
        [container] = spec["containers"]
        assert (container["image"], container["imagePullPolicy"]) == ("other:2", "Always")
        assert spec["imagePullSecrets"] == [{"name": "other"}]
        assert (spec["serviceAccountName"], spec["nodeSelector"]) == ("other", {"pool": "small"})
        assert {"name": "SCHEDULED_TASKS_HOST", "value": "test/$(SCHEDULED_TASKS_NAMESPACE)"} in container["env"]
        assert [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume] == [secret]


def test_braces_of_a_command_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "braces.py"
    text = '{{ .Values.image }} {{"a": 1}}'
    path.write_text(
        '"""Braces."""\n\nfrom scheduled_tasks import Clock\nfrom scheduled_tasks.bundled import command\n\n'
        'scheduler = Clock(timezone="UTC")\n'
        f'scheduler.add_job(command.run, "cron", [["echo", {text!r}]], id="j", hour=5)\n'
    )
    clock = read_clock(path, "braces", ReadingContext("scheduled_tasks.domains", "", NOW, lines=False))
    written = chart([clock], CLUSTER, base=tmp_path, now=NOW, configuration="", version="1.0.0")
    for name, content in written.files.items():
        target = tmp_path / "chart" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    job = rendered(tmp_path / "chart")["CronJob", "braces-j"]
    command = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["command"]
    assert '--args=[["echo", "{{ .Values.image }} {{\\"a\\": 1}}"]]' in command


@pytest.mark.usefixtures("example")
def test_the_command_writes_a_chart_that_helm_packs(tmp_path: Path) -> None:
    command = ["export", "helm", str(tmp_path / "chart"), "--image", "shop:1", "--chart-version", "3.1.4"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    helm.package(str(tmp_path / "chart"), destination=str(tmp_path))
    assert (tmp_path / "scheduled-tasks-3.1.4.tgz").exists()
    values = yaml.safe_load((tmp_path / "chart/values.yaml").read_text())
    assert values["jobs"]["booking/cancel_expired_bookings"]["suspend"] is False
