"""A namespace of a cluster in the ledger: its jobs come from manifests, and it is a host beside those with systemd."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.account import account
from scheduled_tasks.operate.verdicts import Verdict
from scheduled_tasks.operate.watch.cluster_pass import read_jobs, report_deployed, run_cluster_pass
from tests.integration.operate.shop import HOURLY, NOON, Database, clocks, minutes, ran

CLUSTER = "prod/shop"


def manifest(*jobs: str, **options: object) -> list[dict[str, Any]]:
    return [
        {"clock": "shop", "job": job, "task": f"shop.{job}", "schedule": HOURLY,
         "options": {"catch_up": True, "timeout": 600, "grace": 240, "jitter": None, "per_host": False, **options}}
        for job in jobs
    ]  # fmt: skip


def look(connection: Database, now: datetime, jobs: list[dict[str, Any]]) -> list[str]:
    """A pass of the cluster's watch; the statuses that it recorded, with their reasons."""
    done = run_cluster_pass(
        connection, CLUSTER, jobs, now, release="1", keep_days=400, keep_logs=30, judge=lambda: None
    )  # fmt: skip
    assert done.errors == {}
    assert done.account is not None
    return [f"{verdict.slot.job} {verdict.status}: {verdict.reason}" for verdict in done.account.recorded]


def deployed(connection: Database) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT job, valid_from, valid_until FROM deployed_job WHERE host = %s ORDER BY job, valid_from", [CLUSTER]
    ).fetchall()


def test_a_changed_manifest_closes_rows_and_opens_others_and_the_same_one_changes_nothing(
    connection: Database,
) -> None:
    for at in (0, 1):
        look(connection, minutes(at), manifest("count", "sell"))
    look(connection, minutes(2), [*manifest("count"), *manifest("sell", paused=True)])
    assert deployed(connection) == [
        ("count", minutes(0), None), ("sell", minutes(0), minutes(2)), ("sell", minutes(2), None)
    ]  # fmt: skip
    assert report_deployed(connection, CLUSTER, [*manifest("count"), *manifest("sell", paused=True)], minutes(3)) == 0


def test_a_slot_is_missed_five_minutes_after_it_was_due_and_not_before(connection: Database) -> None:
    jobs = manifest("count")
    for at in (50, 51, 60, 64):
        assert look(connection, minutes(at), jobs) == []
    assert look(connection, minutes(65), jobs) == ["count missed: prod/shop did not start it"]


def test_a_slot_that_a_host_with_systemd_ran_is_not_missed_by_the_cluster_nor_the_other_way_round(
    connection: Database,
) -> None:
    new = deployments.JobsReport(manifest("count", "sell", grace=None), "1", minutes(0), minutes(0))
    deployments.report(connection, "app1", new)
    jobs = manifest("count", "sell")
    ran(connection, "count", minutes(60), "ended", host="app1")
    ran(connection, "sell", minutes(60), "ended", host=CLUSTER)
    for at in range(50, 70):
        account(connection, "app1", minutes(at))
        assert look(connection, minutes(at), jobs) == []


def test_a_paused_job_is_due_in_a_cluster_no_more(connection: Database) -> None:
    for at in (50, 51, 66):
        assert look(connection, minutes(at), manifest("count", paused=True)) == []


def test_a_cluster_whose_watch_is_dead_is_judged_by_other_hosts(connection: Database) -> None:
    jobs = manifest("count")
    look(connection, minutes(0), jobs)
    look(connection, minutes(1), jobs)
    recorded: list[Verdict] = []
    for at in range(60, 70):
        recorded += account(connection, "app1", minutes(at)).recorded
    [verdict] = recorded
    assert (verdict.slot.at, verdict.status) == (minutes(60), "missed")
    assert verdict.reason == "no heartbeat from prod/shop since 2026-11-24T12:01:00Z"


@pytest.mark.parametrize(("other", "status"), [("app1", "started"), ("test/shop", "lost")])
def test_an_expired_idempotent_run_is_lost_unless_a_host_with_systemd_can_take_it_over(
    connection: Database, other: str, status: str
) -> None:
    now = connection.execute("SELECT clock_timestamp()").fetchall()[0][0]
    deployments.report(connection, other, deployments.JobsReport(manifest("count"), "1", now, now))
    past = now - timedelta(hours=2)
    values = {"is_idempotent": True, "expires_at": now - timedelta(seconds=1), "host": CLUSTER, "ended_at": None}
    ran(connection, "count", past, "started", **values)
    look(connection, now, manifest("count"))
    [(found, reason)] = connection.execute("SELECT status, reason FROM task_run").fetchall()
    assert found == status
    assert reason == (None if status == "started" else "it expired, and its pod has not reported how it ended")


def test_a_run_of_a_cluster_shows_the_command_for_its_log(connection: Database) -> None:
    uid = "5a1c9f0e-8a3d-4c53-9a57-0d4c1a6b2f11"
    ran(connection, "count", NOON, "ended", host=CLUSTER)
    connection.execute("UPDATE task_run SET run_id = %s, invocation_id = gen_random_uuid()", [uid])
    assert clocks("show", uid).stdout.splitlines()[-2:] == [
        "its log lines, on prod/shop:",
        f"kubectl logs --namespace shop --selector batch.kubernetes.io/controller-uid={uid}",
    ]


def test_the_jobs_of_all_manifests_are_read_in_order(tmp_path: Path) -> None:
    for name, jobs in (("b", manifest("sell")), ("a", manifest("count"))):
        (tmp_path / f"{name}.json").write_text(json.dumps({"jobs": jobs}))
    assert [job["job"] for job in read_jobs(tmp_path)] == ["count", "sell"]


@pytest.mark.parametrize("text", ["", "[]", '{"jobs": [{}]}', '{"jobs": [{"schedule": {"kind": "other"}}]}'])
def test_a_file_that_is_no_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "shop.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"shop\.json is not a manifest of jobs"):
        read_jobs(tmp_path)


def test_a_folder_without_manifests_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="name the folder with the manifests of the export"):
        read_jobs(tmp_path)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--host", "prod/shop"], "--host and --jobs belong together"),
        (["--jobs", "/tmp"], "--host and --jobs belong together"),
        (["--every", "60"], "--host and --jobs belong together"),
        (["--host", "app1", "--jobs", "/tmp"], "--host app1: expected CLUSTER/NAMESPACE"),
        (["--host", "prod/", "--jobs", "/tmp"], "--host prod/: expected CLUSTER/NAMESPACE"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: list[str], problem: str) -> None:
    done = clocks("watch", *options, check=False)
    assert (done.exit_code, problem in done.stderr) == (64, True)
