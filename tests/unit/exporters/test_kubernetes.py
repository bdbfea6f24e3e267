"""The Kubernetes export is valid by the newest published schemas, and its report names what a CronJob can't keep."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner
from kubernetes_validate.utils import all_versions

from scheduled_tasks.cli import main
from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.exporters.kubernetes import Cluster, Exported, export
from scheduled_tasks.exporters.kubernetes.cluster import literal
from scheduled_tasks.exporters.kubernetes.skeletons import configuration_text
from scheduled_tasks.operate.watch.cluster_pass import read_jobs
from tests.unit.exporters.clock_for_export import NOT_EXPRESSIBLE, NOW, read

KNOWN = sorted({tuple(map(int, version.split(".")[:2])) for version in all_versions()})
NEWEST = [f"{major}.{minor}" for major, minor in KNOWN[-3:]]
CLUSTER = Cluster("registry.example.org/shop:1", name="prod", namespace="shop", credentials=("database_url",))
PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    return export([read(tmp_path)], CLUSTER, base=tmp_path, now=NOW, configuration='domains = "shop"\n')


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


@pytest.mark.parametrize(
    ("job", "schedule", "zone"),
    [
        ("daily", "0 6 * * *", "Europe/Paris"),
        ("often", "*/5 * * * *", "Europe/Paris"),
        ("weekdays", "0,30 9-17 * * 1-5", "Europe/Paris"),
        ("sundays", "0 3 * * 0,3", "Europe/Paris"),
        ("day_and_weekday", "0 12 * * 5", "Europe/Paris"),
        ("abroad", "0 7 * * *", "America/New_York"),
        ("every_ten_minutes", "*/10 * * * *", "Etc/UTC"),
        ("every_six_hours", "15 */6 * * *", "Etc/UTC"),
        ("every_week", "0 0 * * 1", "Etc/UTC"),
    ],
)
def test_a_schedule_becomes_five_fields_and_a_zone(exported: Exported, job: str, schedule: str, zone: str) -> None:
    spec = jobs(exported)[job]["spec"]
    assert (spec["schedule"], spec["timeZone"]) == (schedule, zone)


def test_a_job_that_cron_cannot_express_is_rejected_with_the_reason(exported: Exported) -> None:
    rejected = {entry.job.partition("/")[2] for entry in exported.report.entries if entry.outcome == "refused"}
    assert rejected == NOT_EXPRESSIBLE
    assert not rejected & set(jobs(exported))


def test_a_job_keeps_its_limits_policy_and_identity(exported: Exported) -> None:
    job = jobs(exported)["often"]
    spec = job["spec"]["jobTemplate"]["spec"]
    [container] = pod(job)["containers"]
    assert job["metadata"]["name"] == "to-export-often"
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    # A pod has the job's timeout. The Job has that of all its pods, and five minutes for the start of each.
    assert (pod(job)["activeDeadlineSeconds"], spec["activeDeadlineSeconds"]) == (240, 540)
    assert pod(job)["terminationGracePeriodSeconds"] == 90
    assert container["resources"] == {
        "requests": {"memory": "64Mi", "cpu": "10m"},
        "limits": {"memory": "512Mi", "cpu": "500m"},
    }
    assert container["command"][:5] == [
        "run-task", "command.run", "--clock=to_export", "--job=often", '--args=[["/bin/true", "$$(date)"]]'
    ]  # fmt: skip
    schedule, timeout = container["command"][5:]
    assert json.loads(schedule.partition("=")[2])["minutes"] == list(range(0, 60, 5))
    assert timeout == "--timeout=240"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_pod_learns_its_job_and_its_host_from_the_downward_api(exported: Exported) -> None:
    [container] = pod(jobs(exported)["daily"])["containers"]
    variables = {variable["name"]: variable for variable in container["env"]}
    paths = {
        name: variable["valueFrom"]["fieldRef"]["fieldPath"]
        for name, variable in variables.items()
        if "valueFrom" in variable
    }
    assert paths == {
        "SCHEDULED_TASKS_NAMESPACE": "metadata.namespace",
        "SCHEDULED_TASKS_KUBERNETES_JOB": "metadata.labels['batch.kubernetes.io/job-name']",
        "SCHEDULED_TASKS_KUBERNETES_JOB_UID": "metadata.labels['batch.kubernetes.io/controller-uid']",
        "SCHEDULED_TASKS_KUBERNETES_POD_UID": "metadata.uid",
    }
    names = list(variables)
    assert names.index("SCHEDULED_TASKS_NAMESPACE") < names.index("SCHEDULED_TASKS_HOST")  # which has it in its value
    assert variables["SCHEDULED_TASKS_HOST"]["value"] == "prod/$(SCHEDULED_TASKS_NAMESPACE)"
    [watch] = one(exported, "watch.yaml")["spec"]["template"]["spec"]["containers"]
    assert "--host=prod/$(SCHEDULED_TASKS_NAMESPACE)" in watch["command"]


def test_without_a_namespace_kubectl_chooses_it(tmp_path: Path) -> None:
    exported = export([read(tmp_path)], Cluster("shop:1"), base=tmp_path, now=NOW)
    assert "namespace" not in jobs(exported)["daily"]["metadata"]
    assert "namespace" not in one(exported, "kustomization.yaml")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"), ("$HOME", "$HOME"), ("$(date)", "$$(date)"), ("echo $$", "echo $$$$"), ("5$", "5$"),
        ("$$(x) $y", "$$$$(x) $$y"), ("$(A)$", "$$(A)$$"),
    ],
)  # fmt: skip
def test_kubernetes_reads_a_text_as_it_is(text: str, written: str) -> None:
    assert literal(text) == written
    # The rule of its expansion: $$ is a dollar, $(NAME) the variable, any other dollar itself.
    assert re.sub(r"\$\$|\$\(\w+\)", lambda match: "$" if match[0] == "$$" else "expanded", written) == text


def test_requests_are_never_above_the_limits(tmp_path: Path) -> None:
    cluster = Cluster("shop:1", request_cpu="2", request_memory="2Gi")
    [container] = pod(jobs(export([read(tmp_path)], cluster, base=tmp_path, now=NOW))["often"])["containers"]
    assert container["resources"]["requests"] == {"memory": "512Mi", "cpu": "500m"}


def test_suspend_and_the_deadline_are_always_written(exported: Exported) -> None:
    by_name = jobs(exported)
    assert {name for name, job in by_name.items() if job["spec"]["suspend"]} == {"paused"}
    deadlines = {name: job["spec"]["startingDeadlineSeconds"] for name, job in by_name.items()}
    a_year = 31_622_400
    assert (deadlines["with_grace"], deadlines["without_catch_up"], deadlines["daily"]) == (600, 60, a_year)


def test_a_start_may_be_late_by_the_jobs_own_grace(exported: Exported) -> None:
    graces = {
        name: [word for word in pod(job)["containers"][0]["command"] if word.startswith("--grace")]
        for name, job in jobs(exported).items()
    }
    assert (graces["with_grace"], graces["without_catch_up"], graces["daily"]) == (["--grace=600"], [], [])


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


def test_names_fit_and_differ(exported: Exported) -> None:
    names = [job["metadata"]["name"] for job in jobs(exported).values()]
    assert max(map(len, names)) <= 52
    assert len(set(names)) == len(names)


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


def test_the_report_names_what_each_job_loses(exported: Exported) -> None:
    kinds = {
        entry.job.partition("/")[2]: {difference.kind: difference.weight for difference in entry.differences}
        for entry in exported.report.entries
    }
    assert kinds["in_the_gap"]["gap"] == "different"
    # run-task claims the slot of its Job's minute, so a second start, or one on another day, runs nothing.
    assert kinds["in_the_gap"]["fold"] == "remark"
    assert kinds["third_friday"]["guard"] == "remark"
    assert "gap" not in kinds["daily"]
    assert kinds["jittered"]["jitter"] == "different"
    assert kinds["daily"] == {"nice": "different"}
    assert "allow_network" in kinds["with_environment"]
    assert kinds["at_second_thirty"]["seconds"] == "different"


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
