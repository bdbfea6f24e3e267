"""Each job becomes a CronJob that keeps its schedule, limits and identity, and the report names what it loses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scheduled_tasks.exporters.kubernetes import Cluster, Exported, export
from scheduled_tasks.exporters.kubernetes.cluster import literal
from tests.unit.exporters.clock_for_export import NOT_EXPRESSIBLE, NOW, read
from tests.unit.exporters.kubernetes_objects import jobs, one, pod


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


def test_names_fit_and_differ(exported: Exported) -> None:
    names = [job["metadata"]["name"] for job in jobs(exported).values()]
    assert max(map(len, names)) <= 52
    assert len(set(names)) == len(names)


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
