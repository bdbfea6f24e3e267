"""`clocks metrics`: each metric says what the ledger says, and Prometheus' own tools find nothing wrong with it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest

from scheduled_tasks.metrics.families import FAMILIES
from scheduled_tasks.operate.watch.slot_counts import count_slots
from tests.integration.metrics.filled import fill
from tests.integration.metrics.scrape import scrape
from tests.integration.operate.shop import Database, clocks, hours_before, ran
from tests.roots import lacking, require

PROMTOOL = {"promtool": "prometheus"}


def seconds(at: datetime) -> float:
    return at.timestamp()


def test_each_metric_says_what_the_ledger_says(connection: Database, hour: datetime) -> None:
    fill(connection, hour)
    found = scrape()
    count, sell, close = (
        {"clock": clock, "job_name": job} for clock, job in (("shop", "count"), ("shop", "sell"), ("till", "close"))
    )
    clean = {"clock": "shop", "job_name": "clean", "host": "app1"}
    assert found.of("slots_total") == {
        **{("shop", status): number for status, number in (("ended", 3), ("failed", 1), ("missed", 1), ("lost", 1))},
        ("shop", "skipped"): 0,
        **{("till", status): 0 for status in ("ended", "failed", "missed", "skipped", "lost")},
    }
    assert found("run_duration_seconds_count", clock="shop") == 4
    assert found("run_duration_seconds_sum", clock="shop") == 7210.2
    assert found("run_duration_seconds_bucket", clock="shop", le="0.1") == 0
    assert found("run_duration_seconds_bucket", clock="shop", le="10") == 3
    assert found("run_duration_seconds_bucket", clock="shop", le="3600") == 3
    assert found("run_duration_seconds_bucket", clock="shop", le="10800") == 4
    assert found("job_last_success_timestamp_seconds", **count) == seconds(hours_before(hour, 3)) + 5
    assert found("job_last_success_timestamp_seconds", **close) is None
    assert (found("job_last_slot_bad", **count), found("job_last_slot_bad", **sell)) == (1, 0)
    assert (found("job_bad_slots_in_a_row", **count), found("job_bad_slots_in_a_row", **sell)) == (2, 0)
    assert (found("job_missed_slots_in_a_row", **count), found("job_missed_slots_in_a_row", **sell)) == (1, None)
    assert (found("job_lost_slots_in_a_row", **clean), found("job_lost_slots_in_a_row", **count)) == (1, None)
    assert (found("job_alert_after", **count), found("job_alert_after", **sell)) == (3, 1)
    next_hour = seconds(hour) + 3600
    assert found("job_next_deadline_timestamp_seconds", **count) == next_hour + 30 + 300 + 60
    assert found("job_next_deadline_timestamp_seconds", **sell) == next_hour + 60
    assert found("job_next_deadline_timestamp_seconds", **close) is None
    assert found("job_running_since_timestamp_seconds", **count) == seconds(hour)
    assert found("job_running_since_timestamp_seconds", **sell) is None
    assert (found("job_expected_duration_seconds", **count), found("job_expected_duration_seconds", **sell)) == (
        90,
        None,
    )
    assert (found("job_paused", **count), found("job_paused", **close)) == (0, 1)
    every = "at minute 0 of every hour, UTC time"
    described = {"zone": "UTC", "every": every}
    assert found("job_info", **count, **described, owner="data", flag="COUNT", runbook="https://wiki/count") == 1
    assert found("job_info", **clean, **described, told="no") == 1
    [heartbeat] = connection.execute("SELECT heartbeat_at FROM host").fetchall()
    assert found("host_heartbeat_timestamp_seconds", host="app1") == seconds(heartbeat[0])
    assert abs((found("accounted_until_timestamp_seconds") or 0) - seconds(datetime.now(UTC))) < 60
    assert found("unsent_notices") == 0
    assert found.of("feature_active") == {("COUNT",): 1, ("SELL",): 0}
    assert (len(found.of("build_info")), found("ledger_up")) == (1, 1)
    assert abs((found("read_timestamp_seconds") or 0) - seconds(datetime.now(UTC))) < 60


def test_promtool_finds_nothing_wrong(connection: Database, hour: datetime) -> None:
    require(lacking("promtool", PROMTOOL, root=False))
    fill(connection, hour)
    text = scrape().text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert named == {family.name for family in FAMILIES} - {"scheduled_tasks_host_pending_results"}


def test_what_the_watch_has_not_added_up_yet_counts_too(connection: Database, hour: datetime) -> None:
    fill(connection, hour)
    ran(connection, "sell", hours_before(hour, 1), "lost", duration=None)
    connection.execute(
        "UPDATE task_run SET status = 'ended', ended_at = now(), duration = 0.1 WHERE status = 'started'"
    )
    before = scrape()
    assert before("slots_total", clock="shop", status="lost") == 2
    assert before("slots_total", clock="shop", status="ended") == 4
    assert before("run_duration_seconds_bucket", clock="shop", le="0.1") == 1
    count_slots(connection)
    after = scrape()
    assert after.of("slots_total") == before.of("slots_total")
    assert after.of("run_duration_seconds_bucket") == before.of("run_duration_seconds_bucket")


def test_without_a_ledger_it_says_so_and_says_nothing_else_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost:1/none")
    done = clocks("metrics", check=False)
    assert done.exit_code == 75
    assert "scheduled_tasks_ledger_up 0\n" in done.stdout
    assert {line.split("{")[0].split()[0] for line in done.stdout.splitlines() if not line.startswith("#")} == {
        "scheduled_tasks_build_info", "scheduled_tasks_ledger_up", "scheduled_tasks_read_timestamp_seconds",
    }  # fmt: skip
