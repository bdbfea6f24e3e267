"""A job is bad from its first slot that failed, was missed or lost until a run of it ends well: what `status` says."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.operate import deployments, status
from tests.integration.operate.shop import HOURLY, ask, clocks, hours_before, ran

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.operate.shop import Database

MINUTE = timedelta(minutes=1)


def shown(which: str) -> dict[str, Any]:
    """The status of one job, as programs read it."""
    [job] = ask("status", which)["jobs"]
    return dict(job)


def by_hand(connection: Database, job: str, at: datetime, became: str, **columns: Any) -> None:
    """A run that somebody started, which has no slot."""
    ran(connection, job, at, became, slot_host=None, scheduled_at=None, trigger="manual", **columns)


@pytest.mark.parametrize("became", ["failed", "missed", "lost"])
def test_a_job_stays_bad_through_skips_until_a_run_ends_well(connection: Database, hour: datetime, became: str) -> None:
    ran(connection, "count", hours_before(hour, 5), "ended")
    ran(connection, "count", hours_before(hour, 4), became, reason="the till is on fire")
    for number in (3, 2, 1):
        ran(connection, "count", hours_before(hour, number), "skipped", reason="feature COUNT is not active")
    job = shown("shop/count")
    assert (job["state"], job["bad"], job["last"]) == ("bad, skipped", True, "skipped")
    assert datetime.fromisoformat(job["since"]) == hours_before(hour, 4)
    done = clocks("status", "--bad", "shop/count")
    assert done.exit_code == 3
    assert f"{became}: the till is on fire; skipped: feature COUNT is not active" in done.stdout
    ran(connection, "count", hour, "ended")
    job = shown("shop/count")
    assert (job["state"], job["bad"], job["failures"]) == ("ok", False, [])
    assert datetime.fromisoformat(job["since"]) == hour
    assert clocks("status", "shop/count").exit_code == 0


def test_a_paused_bad_job_is_bad_and_paused(connection: Database, hour: datetime) -> None:
    ran(connection, "count", hour, "failed", error_type="RuntimeError", error_message="no luck")
    clocks("pause", "shop/count", "--reason", "we know")
    assert shown("shop/count")["state"] == "bad, paused"
    ran(connection, "sell", hour, "ended")
    clocks("pause", "shop/sell", "--reason", "stocktaking")
    assert shown("shop/sell")["state"] == "paused"
    done = clocks("status", "shop")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (3, "2 jobs: 1 bad, 0 running, 2 paused")


def test_a_run_by_hand_is_shown_and_its_result_counts(connection: Database, hour: datetime) -> None:
    ran(connection, "count", hours_before(hour, 2), "failed")
    by_hand(connection, "count", hours_before(hour, 1), "ended")
    job = shown("shop/count")
    assert (job["state"], job["last"], job["by_hand"]) == ("ok", "ended", True)
    assert "last run by hand: ended" in clocks("status", "shop/count").stdout
    by_hand(connection, "count", hour, "failed", reason="wrong argument")
    assert (shown("shop/count")["state"], shown("shop/count")["failures"][0]["reason"]) == ("bad", "wrong argument")


def test_a_failed_slot_that_runs_again_is_bad_until_that_run_ends_well(connection: Database, hour: datetime) -> None:
    ran(connection, "count", hours_before(hour, 1), "failed", reason="no luck")
    again = "UPDATE task_run SET run_id = gen_random_uuid(), attempt = attempt + 1, status = %s, ended_at = %s"
    connection.execute(again, ["started", None])
    connection.execute("UPDATE task_run SET started_at = now()")
    job = shown("shop/count")
    assert (job["state"], job["failures"][0]["reason"], job["failures"][0]["streak"]) == ("bad, running", "no luck", 1)
    assert datetime.fromisoformat(job["since"]) == hours_before(hour, 1)
    connection.execute("UPDATE task_run SET status = 'ended', ended_at = now()")
    assert shown("shop/count")["state"] == "ok"


def test_results_count_in_the_order_in_which_the_runs_ended(connection: Database, hour: datetime) -> None:
    ran(connection, "count", hours_before(hour, 3), "failed", ended_at=hours_before(hour, 1))
    ran(connection, "count", hours_before(hour, 2), "ended")
    assert shown("shop/count")["state"] == "bad"


def test_a_slot_that_is_found_missed_after_a_later_one_ended_well_is_not_bad(
    connection: Database, hour: datetime
) -> None:
    ran(connection, "count", hours_before(hour, 3), "missed", ended_at=hour)
    ran(connection, "count", hours_before(hour, 2), "ended")
    assert shown("shop/count")["state"] == "ok"


def test_a_slot_of_the_future_hides_nothing(connection: Database, hour: datetime) -> None:
    ran(connection, "count", datetime(2031, 1, 1, tzinfo=UTC), "ended")
    ran(connection, "count", datetime(2032, 1, 1, tzinfo=UTC), "ended", started_at=hour, ended_at=datetime.now(UTC))
    ran(connection, "count", hours_before(hour, 1), "failed")
    job = shown("shop/count")
    assert (job["state"], job["last"], datetime.fromisoformat(job["last_at"])) == (
        "bad", "failed", hours_before(hour, 1)
    )  # fmt: skip


def test_a_job_of_each_host_is_judged_on_each_host(connection: Database) -> None:
    now = datetime.now(UTC)
    options = {"timeout": 600, "per_host": True}
    jobs = [{"clock": "shop", "job": "clean", "task": "t", "schedule": HOURLY, "options": options}]
    for host in ("app1", "app2"):
        deployments.report(connection, host, deployments.JobsReport(jobs, host, now, now))
    for number in range(5, 0, -1):
        at = now - number * MINUTE
        ran(connection, "clean", at, "failed", slot_host="app1", host="app1", reason="disk full")
        ran(connection, "clean", at, "ended", slot_host="app2", host="app2", ended_at=at + timedelta(seconds=30))
    done = clocks("status")
    assert done.exit_code == 3
    assert "failed on app1, 5 bad in a row: disk full" in done.stdout
    by_hand(connection, "clean", now, "ended", host="app2", ended_at=now)
    assert shown("shop/clean")["state"] == "bad"
    by_hand(connection, "clean", now, "ended", host="app1", ended_at=now)
    assert shown("shop/clean")["state"] == "ok"


STATUSES = ("ended", "failed", "missed", "lost", "skipped", "started")


@pytest.mark.parametrize("newest", [0, 1, 3], ids=["each job's last row", "some jobs' last rows", "all rows at once"])
def test_the_query_agrees_with_the_rule_applied_row_by_row(
    connection: Database, monkeypatch: pytest.MonkeyPatch, newest: int
) -> None:
    """Hundreds of jobs with random rows, among them runs by hand and runs that overlap."""
    monkeypatch.setattr(status, "MANY_JOBS", 300)
    monkeypatch.setattr(status, "NEWEST_ROWS", newest)
    chance = random.Random(14)
    now = datetime.now(UTC).replace(microsecond=0)
    options = {"timeout": 600}
    names = [f"j{number}" for number in range(300)]
    jobs = [{"clock": "c", "job": name, "task": "t", "schedule": HOURLY, "options": options} for name in names]
    deployments.report(connection, "app1", deployments.JobsReport(jobs, "random", now, now))
    expected = {}
    last = {}
    rows = []
    for name in names:
        results = []
        for minute in chance.sample(range(1, 200), chance.randrange(12)):
            became = chance.choices(STATUSES, weights=(2, 2, 1, 1, 6, 1))[0]
            begun = now - minute * MINUTE
            ended = begun + chance.randrange(1, 300) * MINUTE / 2 if became in {"ended", "failed"} else None
            slot = chance.random() < 0.8
            at = begun - timedelta(seconds=1) if slot else None
            rows.append((uuid.uuid4(), name, at, "" if slot else None, became, begun, ended))
            if became not in {"skipped", "started"} and (ended or begun) <= now:
                results.append((ended or begun, became == "ended", at or begun))
        bad: list[datetime] = []
        for _, good, at in sorted(results):
            bad = [] if good else [*bad, at]
        expected[name] = (bad[0], len(bad)) if bad else None
        begun_at = max((row[5] for row in rows if row[1] == name and row[4] != "started"), default=None)
        last[name] = next(((row[4], row[2] or begun_at) for row in rows if row[1] == name and row[5] == begun_at), None)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status,"
            " started_at, ended_at) VALUES (%s, 't', 'c', %s, %s, %s, 'app1', 'timer', %s, %s, %s)",
            rows,
        )
    found = status.jobs(connection, now)
    assert {job.job: (job.last, job.last_at) if job.last else None for job in found} == last
    judged = {job.job: job.failures for job in found}
    assert {name: (rows[0].since, rows[0].streak) if rows else None for name, rows in judged.items()} == expected
    assert 50 < sum(map(bool, expected.values())) < 250


def test_no_row_keeps_a_command_from_showing_the_others(connection: Database, hour: datetime) -> None:
    """As if the table had no bounds: the readers bear what it should never hold."""
    for (name,) in connection.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'task_run'::regclass AND contype = 'c'"
    ).fetchall():
        connection.execute(f'ALTER TABLE task_run DROP CONSTRAINT "{name}"')
    strange: list[dict[str, Any]] = [
        {"started_at": "infinity", "ended_at": "infinity", "scheduled_at": "infinity"},
        {"started_at": "-infinity", "ended_at": "0044-03-15 BC", "scheduled_at": "-infinity"},
        {"started_at": "294276-12-31T00:00Z", "ended_at": hour, "scheduled_at": "4713-01-01 BC"},
        {"duration": "NaN", "lag": "-Infinity", "cpu_seconds": "Infinity", "reason": "\x1b]0;root\x07\x1b[2J\u202e"},
    ]
    for number, columns in enumerate(strange):
        ran(connection, "sell", hours_before(hour, number), "failed", **columns)
    ran(connection, "count", hour, "failed", reason="no luck")
    assert shown("shop/count")["state"] == "bad"
    assert "shop/count" in clocks("status").stdout
    for argv in (["history"], ["history", "shop/sell"], ["history", "--status", "failed"]):
        done = clocks(*argv)
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
        assert len(ask(*argv)) == (4 if "shop/sell" in argv else 5)
    for run in ask("history"):
        assert ask("show", run["run_id"])["run_id"] == run["run_id"]
        assert "\x1b" not in clocks("show", run["run_id"]).stdout


def test_status_of_nothing_is_not_healthy(connection: Database) -> None:
    done = clocks("status")
    assert (done.exit_code, "no job is deployed on any host: nothing runs" in done.stdout) == (3, True)
    assert ask("status")["healthy"] is False


def test_status_shows_the_faults_of_the_clock_files(connection: Database, hour: datetime, tmp_path: Path) -> None:
    ran(connection, "count", hour, "ended")
    folder = tmp_path / "faulty"
    for name in ("__init__", "tasks/__init__", "clocks/__init__"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").touch()
    configuration = tmp_path / "pyproject.toml"
    configuration.write_text('[tool.scheduled_tasks]\ndomains = "faulty.tasks"\nclocks = "faulty.clocks"\n')
    (folder / "clocks/night.py").write_text("scheduler = Clock()\n")
    done = clocks("status", configuration=configuration)
    assert (done.exit_code, "faulty/clocks/night.py:1: raises NameError" in done.stdout) == (3, True), done.stdout
    assert done.stdout.splitlines()[-1].startswith("3 jobs: 0 bad")


UNKNOWN = {
    "status": ["status", "shop/cuont"],
    "status of a clock": ["status", "shoop"],
    "history": ["history", "shop/cuont"],
    "history with a filter": ["history", "shoop", "--status", "failed"],
    "pause": ["pause", "shop/cuont", "--reason", "x"],
    "resume": ["resume", "shop/cuont"],
    "run": ["run", "shop/cuont"],
    "backfill": ["backfill", "shoop/count", "--from", "2h", "--to", "1h"],
}


@pytest.mark.parametrize("argv", UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_name_is_an_error_with_the_nearest_one(hour: datetime, argv: list[str]) -> None:
    done = clocks(*argv, check=False)
    near = "did you mean shop?" if argv[1].startswith("shoop") else "did you mean count?"
    assert (done.exit_code, near in done.stderr, done.stdout) == (64, True, ""), done.stderr


@pytest.mark.parametrize("argv", UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_name_is_an_error_where_nothing_is_deployed(connection: Database, argv: list[str]) -> None:
    done = clocks(*argv, check=False)
    assert (done.exit_code, "nothing is deployed" in done.stderr) == (64, True), done.stderr
    assert connection.execute("SELECT FROM pause").rowcount == 0


def test_a_host_that_does_not_exist_can_be_neither_paused_nor_resumed(hour: datetime) -> None:
    for argv in (["pause", "shop", "--reason", "x"], ["resume", "shop"]):
        done = clocks(*argv, "--host", "app11", check=False)
        assert (done.exit_code, "no host app11 has ever had a job; did you mean app1?" in done.stderr) == (64, True)


def test_a_jobs_name_without_its_clock_is_recognized(hour: datetime) -> None:
    assert "did you mean till/close?" in clocks("status", "close", check=False).stderr


def test_a_pause_of_a_job_that_is_gone_can_be_ended(connection: Database, hour: datetime) -> None:
    clocks("pause", "till/close", "--reason", "stocktaking")
    connection.execute("DELETE FROM deployed_job WHERE clock = 'till'")
    assert clocks("resume", "till/close").stdout == "till/close: resumed\n"


def test_history_and_show_have_every_attempt_at_a_slot(connection: Database, hour: datetime) -> None:
    invocation = uuid.uuid4()
    ran(connection, "count", hour, "failed", error_type="RuntimeError", error_message="no luck", exit_code=1,
        invocation_id=invocation)  # fmt: skip
    [first] = ask("history", "shop/count")
    connection.execute(
        "UPDATE task_run SET run_id = gen_random_uuid(), attempt = 2, status = 'ended', host = 'app2', exit_code = 0,"
        " error_type = NULL, error_message = NULL, started_at = now(), invocation_id = NULL, trigger = 'backfill'"
    )
    last, failed = ask("history", "shop/count")
    assert (last["status"], last["attempt"], last["host"]) == ("ended", 2, "app2")
    assert (failed["run_id"], failed["status"], failed["invocation_id"]) == (first["run_id"], "failed", str(invocation))
    assert ask("history", "--status", "failed") == [failed]
    assert "(attempt 1, replaced) RuntimeError: no luck" in clocks("history", "shop/count").stdout
    for run in (last, failed):
        shown_run = ask("show", run["run_id"][:8])
        assert (shown_run["run_id"], shown_run["attempts"]) == (run["run_id"], [failed, last])
    text = clocks("show", last["run_id"]).stdout
    assert "every attempt at this slot:" in text
    assert invocation.hex in text
