"""Runs in pods of CronJobs: the slot is that of the Job's name, and all pods of a Job are attempts at it.

The environment is what the downward API gives; the pods are processes, started as a Job starts its pods.
"""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from psycopg.conninfo import make_conninfo

from tests.integration.operate.roles import ALL, TASKS, granted
from tests.integration.run.slots import Database, Start, rows
from tests.integration.run.support import Finished, Project

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
EVERY_MINUTE = {"kind": "cron", "zone": "Europe/Paris", "seconds": [0]}
JOB_UID = "5a1c9f0e-8a3d-4c53-9a57-0d4c1a6b2f11"


def minutes(at: datetime) -> int:
    return int(at.timestamp()) // 60


def pod(shop: Project, task: str, *, job: str, uid: str = "", schedule: object = EVERY_MINUTE) -> Finished:
    """Run a pod of a Job to its end."""
    return shop.run(
        task, "--clock=shop", "--job=work", f"--schedule={json.dumps(schedule)}", "--timeout=60",
        SCHEDULED_TASKS_HOST="prod/shop",
        SCHEDULED_TASKS_KUBERNETES_JOB=job,
        SCHEDULED_TASKS_KUBERNETES_JOB_UID=JOB_UID,
        SCHEDULED_TASKS_KUBERNETES_POD_UID=uid or str(uuid4()),
    )  # fmt: skip


def test_a_pod_runs_the_slot_of_its_jobs_name_however_late_it_starts(shop: Project, connection: Database) -> None:
    at = NOW - timedelta(minutes=17)
    uid = str(uuid4())
    finished = pod(shop, "slots.work", job=f"shop-work-{minutes(at)}", uid=uid)
    assert finished.statuses == ["started", "ended"]
    columns = "status, host, slot_host, trigger, scheduled_at, attempt, run_id::text, invocation_id::text"
    assert rows(connection, columns) == [("ended", "prod/shop", "", "timer", at, 1, JOB_UID, uid)]
    assert finished.messages(level="info")[-1].endswith("attempt 1, slot True")


def test_a_second_within_the_minute_is_the_slot_although_a_cron_job_starts_at_its_beginning(
    shop: Project, connection: Database
) -> None:
    at = NOW - timedelta(minutes=3)
    pod(shop, "slots.work", job=f"shop-work-{minutes(at)}", schedule={**EVERY_MINUTE, "seconds": [30]})
    assert rows(connection, "scheduled_at") == [(at + timedelta(seconds=30),)]


def test_a_pod_for_a_minute_in_which_nothing_is_due_runs_nothing(shop: Project, connection: Database) -> None:
    at = NOW - timedelta(minutes=3)
    other = (at.minute + 1) % 60
    finished = pod(shop, "slots.work", job=f"shop-work-{minutes(at)}", schedule={**EVERY_MINUTE, "minutes": [other]})
    assert (finished.exit_code, finished.statuses) == (0, [])
    assert finished.messages(level="info") == [
        f"nothing is due at {at:%Y-%m-%dT%H:%M:%SZ}, for which the CronJob started this pod"
    ]
    assert rows(connection) == []


def test_the_second_start_of_a_night_of_change_runs_nothing(shop: Project, connection: Database) -> None:
    # 2026-10-25 in Paris: 02:30 comes at 00:30Z and again at 01:30Z. The clock file means the first one.
    schedule = {"kind": "cron", "zone": "Europe/Paris", "hours": [2], "minutes": [30], "seconds": [0]}
    for hour, statuses in ((0, ["started", "ended"]), (1, [])):
        at = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        assert pod(shop, "slots.work", job=f"shop-work-{minutes(at)}", schedule=schedule).statuses == statuses
    assert rows(connection, "scheduled_at, status") == [(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "ended")]


def test_retries_are_attempts_of_the_slot_and_each_has_its_row(shop: Project, connection: Database) -> None:
    job = f"shop-work-{minutes(NOW)}"
    first, second, third = (str(uuid4()) for _ in range(3))
    assert pod(shop, "slots.fail", job=job, uid=first).exit_code == 1
    assert pod(shop, "slots.fail", job=job, uid=second).exit_code == 1
    assert pod(shop, "slots.again", job=job, uid=third).exit_code == 0
    columns = "status, attempt, run_id::text, invocation_id::text"
    assert rows(connection, columns) == [("ended", 3, JOB_UID, third)]
    assert connection.execute(
        "SELECT status, attempt, invocation_id::text FROM past_attempt ORDER BY attempt"
    ).fetchall() == [("failed", 1, first), ("failed", 2, second)]


def test_the_pod_after_one_that_was_killed_is_the_next_attempt(
    shop: Project, connection: Database, start: Start
) -> None:
    job = f"shop-work-{minutes(NOW)}"
    killed = start(
        "slots.wait", "--clock=shop", "--job=work", f"--schedule={json.dumps(EVERY_MINUTE)}",
        SCHEDULED_TASKS_HOST="prod/shop", SCHEDULED_TASKS_KUBERNETES_JOB=job,
        SCHEDULED_TASKS_KUBERNETES_JOB_UID=JOB_UID, SCHEDULED_TASKS_KUBERNETES_POD_UID=str(uuid4()),
        stdin=subprocess.PIPE,
    )  # fmt: skip
    killed.wait_for("ready")
    killed.process.kill()
    killed.process.wait(60)
    assert rows(connection, "status, attempt") == [("started", 1)]
    assert pod(shop, "slots.work", job=job).statuses == ["started", "ended"]
    assert rows(connection, "status, attempt") == [("ended", 2)]


def test_a_pod_that_kubernetes_starts_again_after_a_good_one_runs_nothing(shop: Project, connection: Database) -> None:
    job = f"shop-work-{minutes(NOW)}"
    assert pod(shop, "slots.work", job=job).statuses == ["started", "ended"]
    again = pod(shop, "slots.work", job=job)
    assert (again.exit_code, again.statuses) == (0, ["started", "skipped"])
    assert again.end["reason"] == "claimed by this host, status ended"
    assert rows(connection, "status, attempt") == [("ended", 1)]


def test_a_slot_that_the_watch_recorded_as_missed_runs_when_its_pod_comes(shop: Project, connection: Database) -> None:
    at = NOW - timedelta(minutes=10)
    connection.execute(
        "INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, started_at,"
        " attempt, reason) VALUES (gen_random_uuid(), 'slots.work', 'shop', 'work', %s, '', 'prod/shop', 'watch',"
        " 'missed', %s, 0, 'prod/shop did not start it')",
        [at, at],
    )
    assert pod(shop, "slots.work", job=f"shop-work-{minutes(at)}").statuses == ["started", "ended"]
    assert rows(connection, "status, attempt, reason") == [("ended", 1, "was missed: prod/shop did not start it")]


@pytest.mark.parametrize("job", ["test", "shop-work-20261130", "shop-work-99999999"])
def test_a_job_that_a_person_made_has_no_slot(shop: Project, connection: Database, job: str) -> None:
    assert pod(shop, "slots.work", job=job).statuses == ["started", "ended"]
    [(status, host, at, run_id)] = rows(connection, "status, host, scheduled_at, run_id::text")
    assert (status, host, at) == ("ended", "prod/shop", None)
    assert run_id != JOB_UID


def test_a_pod_without_the_uid_of_its_job_does_not_start(shop: Project, connection: Database) -> None:
    finished = shop.run("slots.work", "--clock=shop", "--job=work", SCHEDULED_TASKS_KUBERNETES_JOB="shop-work-1")
    assert finished.exit_code == 64
    assert finished.end["reason"] == (
        "SCHEDULED_TASKS_KUBERNETES_JOB_UID : expected a UID, which the downward API gives"
    )
    assert rows(connection) == []


def test_the_tasks_role_can_ask_for_its_attempt_and_read_no_run(
    shop: Project, connection: Database, database_url: str
) -> None:
    with granted(connection, ALL):
        env = shop.environment | {"DATABASE_URL": make_conninfo(database_url, user=TASKS)}
        asked = Project(shop.folder, shop.errors, env)
        job = f"shop-work-{minutes(NOW)}"
        assert pod(asked, "slots.fail", job=job).exit_code == 1
        assert pod(asked, "slots.again", job=job).exit_code == 0
    assert rows(connection, "status, attempt") == [("ended", 2)]
