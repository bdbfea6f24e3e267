"""The Kubernetes export is valid by the newest published schemas, and its report names what a CronJob can't keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from click.testing import CliRunner
from kubernetes_validate.utils import all_versions

from scheduled_tasks.cli import main
from scheduled_tasks.exporters.kubernetes import Cluster, Exported, export
from tests.unit.exporters.clock_for_export import NOT_EXPRESSIBLE, NOW, read

KNOWN = sorted({tuple(map(int, version.split(".")[:2])) for version in all_versions()})
NEWEST = [f"{major}.{minor}" for major, minor in KNOWN[-3:]]


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    cluster = Cluster("registry.example.org/shop:1", namespace="shop", credentials=("database_url",))
    return export([read(tmp_path)], cluster, base=tmp_path, now=NOW)


def jobs(exported: Exported) -> dict[str, dict[str, Any]]:
    [objects] = exported.objects.values()
    return {job["metadata"]["labels"]["scheduled-tasks/job"]: job for job in objects}


def test_three_versions_are_known() -> None:
    assert len(NEWEST) == 3


@pytest.mark.parametrize("version", NEWEST)
def test_each_cron_job_is_valid_by_the_published_schema(exported: Exported, version: str) -> None:
    by_name = jobs(exported)
    assert len(by_name) > 20
    for job in by_name.values():
        kubernetes_validate.validate(job, version, strict=True)


def test_the_validator_finds_a_misspelled_field(exported: Exported) -> None:
    wrong = json.loads(json.dumps(jobs(exported)["daily"]))
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
    [container] = spec["template"]["spec"]["containers"]
    assert job["metadata"]["name"] == "to-export-often"
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert spec["activeDeadlineSeconds"] == 240
    assert container["resources"] == {
        "limits": {"memory": "512Mi", "cpu": "500m"},
        "requests": {"memory": "512Mi", "cpu": "10m"},
    }
    assert container["command"] == [
        "run-task", "command.run", "--clock=to_export", "--job=often", '--args=[["/bin/true", "$$(date)"]]'
    ]  # fmt: skip
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert job["metadata"]["labels"]["scheduled-tasks/clock"] == "to_export"


def test_grace_and_pause_become_deadline_and_suspend(exported: Exported) -> None:
    by_name = jobs(exported)
    assert by_name["with_grace"]["spec"]["startingDeadlineSeconds"] == 600
    assert by_name["without_catch_up"]["spec"]["startingDeadlineSeconds"] == 60
    assert "startingDeadlineSeconds" not in by_name["daily"]["spec"]
    assert by_name["paused"]["spec"]["suspend"] is True


def test_a_secret_is_referenced_and_never_written(exported: Exported) -> None:
    pod = jobs(exported)["daily"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [secret] = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert secret["items"] == [{"key": "database_url", "path": "database_url"}]


def test_a_clock_gets_its_own_keys_of_the_secret_in_place_of_the_common_ones(tmp_path: Path) -> None:
    clock = read(tmp_path)
    keys = ("database_url", "api_key", f"{clock.name}.database_url", "other.database_url")
    pod = jobs(export([clock], Cluster("shop:1", credentials=keys), base=tmp_path, now=NOW))["daily"]
    [secret] = [
        volume["secret"]["items"]
        for volume in pod["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume
    ]
    own = f"{clock.name}.database_url"
    assert secret == [{"key": own, "path": "database_url"}, {"key": "api_key", "path": "api_key"}]


def test_names_fit_and_differ(exported: Exported) -> None:
    names = [job["metadata"]["name"] for job in next(iter(exported.objects.values()))]
    assert max(map(len, names)) <= 52
    assert len(set(names)) == len(names)


def test_the_report_names_what_each_job_loses(exported: Exported) -> None:
    kinds = {
        entry.job.partition("/")[2]: {difference.kind for difference in entry.differences}
        for entry in exported.report.entries
    }
    assert "gap" in kinds["in_the_gap"]
    assert "gap" not in kinds["daily"]
    assert "jitter" in kinds["jittered"]
    assert {"nice", "catch_up"} <= kinds["daily"]
    assert "allow_network" in kinds["with_environment"]
    assert "guard" in kinds["third_friday"]
    assert "seconds" in kinds["at_second_thirty"]


def test_the_command_writes_valid_yaml_and_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(Path(__file__).parents[3] / "pyproject.toml"))
    done = CliRunner().invoke(main, ["export", "kubernetes", str(tmp_path / "k8s"), "--image", "shop:1"])
    assert done.exit_code == 0, done.output
    files = sorted(path.name for path in (tmp_path / "k8s").iterdir())
    assert files == ["REPORT.md", "clock-algolia.yaml", "clock-booking.yaml", "clock-titelive.yaml", "report.json"]
    for path in (tmp_path / "k8s").glob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            kubernetes_validate.validate(document, NEWEST[-1], strict=True)
