"""A slot has one row and one run, however many processes claim it and however often."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import scheduled_tasks
from tests.integration.run.slots import HERE, NAMED, SLOT, Database, Start, by_watch, rows, write
from tests.integration.run.support import Project


def test_each_slot_goes_to_exactly_one_of_many_claimants(connection: Database, database_url: str) -> None:
    connection.execute("CREATE TABLE effect (job text, at timestamptz)")
    jobs, rounds = 200, 4
    root = str(Path(scheduled_tasks.__file__).parents[1])
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": root, "DATABASE_URL": database_url}
    command = [sys.executable, str(Path(__file__).with_name("claiming.py"))]
    with ExitStack() as stack:
        claiming = [
            stack.enter_context(
                subprocess.Popen(
                    [*command, host, str(first), str(jobs), str(rounds)],
                    env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )
            for first in (0, 0, 100)
            for host in ("app1", "app2")
        ]  # fmt: skip
        for process in claiming:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in claiming:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        won = [int(process.communicate()[0]) for process in claiming]
    assert sum(won) == jobs * rounds
    assert connection.execute(
        "SELECT count(*), count(DISTINCT (job, scheduled_at)), min(status), max(status) FROM task_run"
    ).fetchall() == [(jobs * rounds, jobs * rounds, "ended", "ended")]
    assert connection.execute("SELECT count(*), count(DISTINCT (job, at)) FROM effect").fetchall() == [
        (jobs * rounds, jobs * rounds)
    ]
    hosts = dict(connection.execute("SELECT host, count(*) FROM task_run GROUP BY host").fetchall())
    assert set(hosts) == {"app1", "app2"}


def test_a_run_that_loses_the_claim_names_the_winner_and_records_nothing(shop: Project, connection: Database) -> None:
    write(connection, status="started", expires_at=datetime.now(UTC) + timedelta(hours=1))
    finished = by_watch(shop, "slots.again")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "skipped"])
    assert finished.end["reason"] == "claimed by the host app2, status started"
    assert rows(connection) == [("started", "app2", 1, None)]


@pytest.mark.parametrize(
    ("columns", "task", "reason"),
    [
        ({"status": "missed"}, "slots.work", None),
        ({"status": "missed", "reason": "no heartbeat from app2"}, "slots.work", "was missed: no heartbeat from app2"),
        ({"status": "failed", "attempt": 0}, "slots.work", None),
        ({"status": "started", "is_idempotent": True, "expires_at": SLOT}, "slots.again", "taken over from app2"),
    ],
    ids=["missed", "missed, with a reason", "could not begin", "idempotent and expired"],
)
def test_a_slot_that_no_run_began_or_whose_host_died_is_run(
    shop: Project, connection: Database, columns: dict[str, object], task: str, reason: str | None
) -> None:
    write(connection, **columns)
    assert by_watch(shop, task).statuses == ["started", "ended"]
    [(status, host, attempt, why)] = rows(connection)
    assert (status, host, why) == ("ended", HERE, reason)
    assert attempt == (1 if columns.get("attempt") == 0 else 2)


@pytest.mark.parametrize(
    ("columns", "task"),
    [
        ({"status": "ended"}, "slots.again"),
        ({"status": "failed"}, "slots.again"),
        ({"status": "lost"}, "slots.again"),
        ({"status": "started", "expires_at": SLOT}, "slots.work"),
        ({"status": "started", "expires_at": SLOT, "is_idempotent": True}, "slots.work"),
    ],
    ids=["ended", "failed", "lost", "expired and not idempotent", "no longer idempotent"],
)
def test_a_slot_that_a_run_began_is_never_run_again_automatically(
    shop: Project, connection: Database, columns: dict[str, object], task: str
) -> None:
    write(connection, **columns)
    assert by_watch(shop, task).statuses == ["started", "skipped"]
    assert rows(connection, "status, host") == [(columns["status"], "app2")]


def test_a_person_can_repeat_a_failed_slot_and_force_an_ended_one(shop: Project, connection: Database) -> None:
    write(connection, status="failed")
    assert shop.run("slots.work", *NAMED).statuses == ["started", "ended"]
    assert shop.run("slots.work", *NAMED).statuses == ["started", "skipped"]
    assert shop.run("slots.work", *NAMED, "--force").statuses == ["started", "ended"]
    assert rows(connection, "status, host, attempt") == [("ended", HERE, 3)]


def test_the_attempts_of_one_run_share_its_row(shop: Project, connection: Database, tmp_path: Path) -> None:
    (tmp_path / "attempts").write_text("1")  # as the service has it, see render/shell_wrapper.py
    runtime = {"RUNTIME_DIRECTORY": str(tmp_path)}
    schedule = json.dumps({"kind": "interval", "zone": "UTC", "every": 3600})
    named = ("--clock=shop", "--job=work", f"--schedule={schedule}")
    first = shop.run("slots.fail", *named, TRIGGER_UNIT="clock-shop-work.timer", **runtime)
    second = shop.run("slots.again", *named, **runtime)  # in a restart systemd sets no TRIGGER_UNIT
    assert (first.exit_code, second.exit_code) == (1, 0)
    assert second.end["run_id"] == first.end["run_id"]
    assert second.end["scheduled_at"] == first.end["scheduled_at"]
    assert second.end["attempt"] == 2
    assert rows(connection, "status, attempt, trigger, error_type") == [("ended", 2, "timer", None)]


def test_a_task_gets_its_nominal_time_in_its_schedules_zone(shop: Project) -> None:
    schedule = json.dumps({"kind": "cron", "zone": "Europe/Paris", "hours": [0], "minutes": [30]})
    named = ("--clock=shop", "--job=work", f"--schedule={schedule}", "--at=2026-11-23T23:30:00Z")
    finished = shop.run("slots.work", *named)
    assert finished.messages(level="info") == ["2026-11-24T00:30:00+01:00, attempt 1, slot True"]
    [message] = shop.run("slots.work").messages(level="info")
    assert message.endswith(", attempt 1, slot False")


def test_a_pause_of_all_hosts_skips_the_slot_and_one_of_this_host_leaves_it_to_others(
    shop: Project, connection: Database
) -> None:
    connection.execute(
        "INSERT INTO pause (clock, host, paused_by, reason) VALUES ('shop', %s, 'ada', 'a disk is changed')", [HERE]
    )
    finished = by_watch(shop, "slots.work")
    assert finished.end["reason"] == "paused on this host: a disk is changed (ada)"
    assert rows(connection) == []
    connection.execute("UPDATE pause SET host = NULL")
    assert by_watch(shop, "slots.work").end["reason"] == "paused: a disk is changed (ada)"
    assert rows(connection) == [("skipped", HERE, 1, "paused: a disk is changed (ada)")]
    assert shop.run("slots.work", *NAMED, SCHEDULED_TASKS_FORCE="1").statuses == ["started", "ended"]
    assert rows(connection, "status") == [("ended",)]


def test_an_expired_pause_skips_nothing(shop: Project, connection: Database) -> None:
    connection.execute("INSERT INTO pause (paused_by, reason, until) VALUES ('ada', 'lunch', %s)", [SLOT])
    assert by_watch(shop, "slots.work").statuses == ["started", "ended"]


def test_a_temporary_switch_reverts_automatically(shop: Project, connection: Database) -> None:
    connection.execute(
        "INSERT INTO feature (name, is_active, updated_by, reverts_at) VALUES ('SELL', false, 'ada', %s)", [SLOT]
    )
    finished = shop.run("sales.sell")
    assert finished.statuses == ["started", "ended"]
    assert "the temporary switch of SELL has expired: it is active again" in finished.messages(level="info")


def test_a_job_with_overlap_skip_is_skipped_while_another_slot_runs(shop: Project, connection: Database) -> None:
    other = datetime(2026, 11, 24, 5, tzinfo=UTC)
    soon = datetime.now(UTC) + timedelta(hours=1)
    write(connection, scheduled_at=other, status="started", expires_at=soon, is_exclusive=True)
    finished = by_watch(shop, "slots.work", "--overlap=skip")
    assert finished.end["reason"] == "the run due at 2026-11-24T05:00:00Z on app2 is still running"
    assert rows(connection, "status, host") == [("started", "app2"), ("skipped", HERE)]


def test_a_job_with_overlap_queue_runs_once_the_other_slot_has_ended(start: Start, connection: Database) -> None:
    other = datetime(2026, 11, 24, 5, tzinfo=UTC)
    soon = datetime.now(UTC) + timedelta(hours=1)
    write(connection, scheduled_at=other, status="started", expires_at=soon, is_exclusive=True)
    running = start("slots.work", *NAMED, "--overlap=queue")
    assert running.line()["status"] == "started"
    connection.execute("UPDATE task_run SET status = 'ended'")
    assert running.finish().statuses == ["started", "ended"]
    assert rows(connection, "status, host") == [("ended", "app2"), ("ended", HERE)]


def test_an_expired_run_does_not_count_as_overlapping(shop: Project, connection: Database) -> None:
    other = datetime(2026, 11, 24, 5, tzinfo=UTC)
    write(connection, scheduled_at=other, status="started", expires_at=SLOT, is_exclusive=True)
    assert by_watch(shop, "slots.work", "--overlap=skip").statuses == ["started", "ended"]
    assert rows(connection, "status, reason") == [("lost", "it ran longer than its time limit"), ("ended", None)]
