"""The Kubernetes export is valid by the newest published schemas, with its watch, configuration and credentials."""

from __future__ import annotations

import copy
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from scheduled_tasks.cli import main
from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.exporters.kubernetes import Cluster, Exported, export
from scheduled_tasks.exporters.kubernetes.skeletons import configuration_text
from scheduled_tasks.operate.watch.cluster_pass import read_jobs
from tests.unit.exporters.clock_for_export import NOW, read
from tests.unit.exporters.kubernetes_objects import CLUSTER, NEWEST, jobs, one, pod

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_three_versions_are_known() -> None:
    assert len(NEWEST) == 3


@pytest.mark.parametrize("version", NEWEST)
def test_each_object_is_valid_by_the_published_schema(exported: Exported, version: str) -> None:
    assert len(jobs(exported)) > 20
    kinds = set()
    for path, objects in exported.objects.items():
        for object_ in objects if path != "kustomization.yaml" else ():
            kubernetes_validate.validate(object_, version, strict=True)
            kinds.add(object_["kind"])
    assert kinds == {"ConfigMap", "CronJob", "Deployment", "Secret"}


@pytest.mark.parametrize("version", NEWEST)
def test_with_all_that_a_cluster_can_ask_for_it_is_valid_too(tmp_path: Path, version: str) -> None:
    cluster = Cluster(
        "shop", pull_policy="Never", pull_secrets=("registry",), service_account="clocks", keep_finished=60,
        node_selector={"pool": "batch", "kubernetes.io/arch": "amd64"}, request_cpu="1", request_memory="1Gi",
    )  # fmt: skip
    exported = export([read(tmp_path)], cluster, base=tmp_path, now=NOW)
    for objects in (exported.objects["clock-to-export.yaml"], exported.objects["watch.yaml"]):
        for object_ in objects:
            kubernetes_validate.validate(object_, version, strict=True)
    for spec in (pod(jobs(exported)["daily"]), one(exported, "watch.yaml")["spec"]["template"]["spec"]):
        assert spec["serviceAccountName"] == "clocks"
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        assert list(spec["nodeSelector"].items()) == [("kubernetes.io/arch", "amd64"), ("pool", "batch")]
        assert spec["containers"][0]["imagePullPolicy"] == "Never"
    assert jobs(exported)["daily"]["spec"]["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] == 60


def test_the_validator_finds_a_misspelled_field(exported: Exported) -> None:
    wrong = copy.deepcopy(jobs(exported)["daily"])
    wrong["spec"]["jobTemplate"]["spec"]["backofLimit"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, NEWEST[-1], strict=True)


def test_without_a_namespace_kubectl_chooses_it(tmp_path: Path) -> None:
    exported = export([read(tmp_path)], Cluster("shop:1"), base=tmp_path, now=NOW)
    assert "namespace" not in jobs(exported)["daily"]["metadata"]
    assert "namespace" not in one(exported, "kustomization.yaml")


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("shop", "Always"), ("shop:latest", "Always"), ("r.example.org:5000/shop", "Always"),
        ("shop:1", "IfNotPresent"), ("r.example.org:5000/shop:1", "IfNotPresent"), ("shop@sha256:0a1b", "IfNotPresent"),
    ],
)  # fmt: skip
def test_the_pull_policy_is_written_as_kubernetes_would_choose_it(image: str, policy: str) -> None:
    assert Cluster(image).effective_pull_policy == policy


def test_every_object_has_the_recommended_labels(exported: Exported) -> None:
    every = [object_ for path, some in exported.objects.items() for object_ in some if path != "kustomization.yaml"]
    components = {object_["metadata"]["labels"]["app.kubernetes.io/component"] for object_ in every}
    assert components == {"job", "jobs", "watch", "configuration", "credentials"}
    for object_ in every:
        labels = object_["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == labels["app.kubernetes.io/part-of"] == "scheduled-tasks"
        assert labels["app.kubernetes.io/managed-by"] == "clocks-export"
        assert object_["metadata"]["namespace"] == "shop"


def test_a_second_export_of_the_same_clocks_is_the_same_whatever_the_time(tmp_path: Path) -> None:
    clock = read(tmp_path)
    first, second = (
        export([clock], CLUSTER, base=tmp_path, now=NOW.replace(hour=hour), configuration="x = 1\n") for hour in (1, 23)
    )
    assert json.dumps(first.objects) == json.dumps(second.objects)


def test_a_secret_is_referenced_and_never_written(exported: Exported) -> None:
    [secret] = [volume["secret"] for volume in pod(jobs(exported)["daily"])["volumes"] if "secret" in volume]
    assert secret["items"] == [{"key": "database_url", "path": "database_url"}]
    for skeleton in exported.objects["secret.example.yaml"]:
        assert set(skeleton["stringData"].values()) == {""}
    assert "secret.example.yaml" not in one(exported, "kustomization.yaml")["resources"]


def test_no_job_gets_a_credential_of_the_watch(tmp_path: Path) -> None:
    cluster = Cluster(
        "shop:1", credentials=("database_url",), watch_credentials=("operators_database_url", "notify.ops_url")
    )
    exported = export([read(tmp_path)], cluster, base=tmp_path, now=NOW)
    secrets = [volume["secret"] for volume in pod(jobs(exported)["daily"])["volumes"] if "secret" in volume]
    assert [secret["secretName"] for secret in secrets] == ["scheduled-tasks"]
    of_watch = one(exported, "watch.yaml")["spec"]["template"]["spec"]["volumes"]
    [secret] = [volume["secret"] for volume in of_watch if "secret" in volume]
    assert secret["secretName"] == "scheduled-tasks-watch"
    assert [item["key"] for item in secret["items"]] == ["operators_database_url", "notify.ops_url"]


def test_a_clock_gets_its_own_keys_of_the_secret_in_place_of_the_common_ones(tmp_path: Path) -> None:
    clock = read(tmp_path)
    keys = ("database_url", "api_key", f"{clock.name}.database_url", "other.database_url")
    job = jobs(export([clock], Cluster("shop:1", credentials=keys), base=tmp_path, now=NOW))["daily"]
    [secret] = [volume["secret"]["items"] for volume in pod(job)["volumes"] if "secret" in volume]
    own = f"{clock.name}.database_url"
    assert secret == [{"key": own, "path": "database_url"}, {"key": "api_key", "path": "api_key"}]


def test_the_manifest_has_each_cron_job_as_it_is_deployed(exported: Exported, tmp_path: Path) -> None:
    manifest = exported.objects["clock-to-export.yaml"][0]
    assert manifest["metadata"]["name"] == "scheduled-tasks-jobs-to-export"
    for name, text in manifest["data"].items():
        (tmp_path / name).write_text(text)
    by_name = {job["job"]: job for job in read_jobs(tmp_path)}
    assert {name[:63] for name in by_name} == set(jobs(exported))
    options = by_name["often"]["options"]
    # Overdue five minutes after the nominal time: 240 s, and the minute that the ledger grants every start.
    assert (options["grace"], options["jitter"], options["timeout"]) == (240, None, 540)
    assert by_name["with_grace"]["options"]["grace"] == 600
    assert [name for name, job in by_name.items() if job["options"]["paused"]] == ["paused"]


def test_the_watch_is_replaced_when_a_manifest_or_the_configuration_changes(tmp_path: Path) -> None:
    def digest(clock: ClockSpec, configuration: str) -> str:
        exported = export([clock], CLUSTER, base=tmp_path, now=NOW, configuration=configuration)
        annotations = one(exported, "watch.yaml")["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["scheduled-tasks/jobs"])

    clock = read(tmp_path)
    first = digest(clock, "a = 1\n")
    assert digest(clock, "a = 1\n") == first
    assert len({first, digest(replace(clock, jobs=clock.jobs[1:]), "a = 1\n"), digest(clock, "a = 2\n")}) == 3


def test_the_configuration_is_the_projects_own_table(exported: Exported) -> None:
    text = configuration_text(PYPROJECT)
    assert tomllib.loads(text) == tomllib.loads(PYPROJECT.read_text())["tool"]["scheduled_tasks"]
    assert text.startswith("# The worked example is configured like a user's own project.\n")
    assert one(exported, "configuration.yaml")["data"] == {"config.toml": 'domains = "shop"\n'}


def test_tables_of_the_configuration_lose_the_name_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(
        '[project]\nname = "shop"\n\n[tool.scheduled_tasks]  # ours\ndomains = "shop"\n'
        '[tool.scheduled_tasks.settings]\nbucket = "x"\n[[tool.scheduled_tasks.more]]\na = 1\n[tool.ruff]\nb = 2\n'
    )
    assert configuration_text(path) == 'domains = "shop"\n[settings]\nbucket = "x"\n[[more]]\na = 1\n'


@pytest.mark.usefixtures("example")
def test_the_command_writes_valid_yaml_a_kustomization_and_a_report(tmp_path: Path) -> None:
    command = ["export", "kubernetes", str(tmp_path / "k8s"), "--image", "shop:1", "--cluster", "prod"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "k8s").iterdir()) == [
        "REPORT.md", "clock-algolia.yaml", "clock-booking.yaml", "clock-titelive.yaml", "configuration.yaml",
        "kustomization.yaml", "report.json", "secret.example.yaml", "watch.yaml",
    ]  # fmt: skip
    resources = yaml.safe_load((tmp_path / "k8s/kustomization.yaml").read_text())["resources"]
    assert resources == [
        "clock-algolia.yaml", "clock-booking.yaml", "clock-titelive.yaml", "configuration.yaml", "watch.yaml"
    ]  # fmt: skip
    for name in resources:
        for document in yaml.safe_load_all((tmp_path / "k8s" / name).read_text()):
            kubernetes_validate.validate(document, NEWEST[-1], strict=True)


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--cluster", "prod/eu", "--cluster prod/eu: expected letters, digits, dots and hyphens"),
        ("--node-selector", "pool", "--node-selector pool: expected KEY=VALUE"),
    ],
)
@pytest.mark.usefixtures("example")
def test_an_option_with_a_wrong_value_is_refused(tmp_path: Path, option: str, value: str, problem: str) -> None:
    done = CliRunner().invoke(main, ["export", "kubernetes", str(tmp_path / "k8s"), "--image", "shop:1", option, value])
    assert (done.exit_code, problem in done.output) == (64, True)
    assert not (tmp_path / "k8s").exists()
