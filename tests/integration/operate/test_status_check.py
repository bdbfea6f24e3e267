"""`clocks status --check` is a plugin by the Monitoring Plugins' guidelines, and never green by mistake."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.cli.screens.status_check import Range
from scheduled_tasks.operate import deployments
from scheduled_tasks.operate.account import account
from tests.integration.operate.shop import HOURLY, ask, clocks, hours_before, ran
from tests.integration.operate.status_checks import HEALTHY, Checked, checked, fail

if TYPE_CHECKING:
    from tests.integration.operate.shop import Database

DEAD = "UPDATE host SET heartbeat_at = now() - interval '6 minutes'"
LATE = (
    "INSERT INTO incident (kind, clock, job, opened_at, first_at, last_at)"
    " VALUES ('late', 'shop', 'sell', now(), now(), now())"
)


@pytest.mark.parametrize(
    ("text", "alerting", "quiet"),
    [  # the table in section 2.5 of the guidelines
        ("10", [-1, 11], [0, 10]),
        ("10:", [9], [10, 1000]),
        ("~:10", [11], [-1000, 10]),
        ("10:20", [9, 21], [10, 20]),
        ("@10:20", [10, 20], [9, 21]),
        ("0", [1], [0]),
    ],
)
def test_a_range_alerts_as_the_guidelines_say(text: str, alerting: list[int], quiet: list[int]) -> None:
    threshold = Range.parse(text)
    assert [value for value in (*alerting, *quiet) if threshold.alerts(value)] == alerting


@pytest.mark.parametrize("text", ["", "@", ":", "x", "5:1", "nan", "1:2:3", "~"])
def test_what_is_no_range_is_unknown(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        Range.parse(text)
    result = checked("--critical", text)
    assert (result.code, result.text[:16]) == (3, "CLOCKS UNKNOWN -")


def test_a_healthy_shop_is_ok(connection: Database, hour: datetime) -> None:
    ran(connection, "count", hour, "ended")
    assert checked() == Checked(0, HEALTHY, [])


def test_bad_jobs_are_critical_and_named_with_their_reasons(connection: Database, hour: datetime) -> None:
    fail(connection, "count", hour)
    ran(connection, "close", hours_before(hour, 1), "missed", clock="till", reason="no host | ran it\nat all")
    result = checked()
    assert (result.code, result.text) == (2, "CLOCKS CRITICAL - 2 bad: shop/count, till/close")
    assert result.data.split()[1] == "bad=2;0;0;0;3"
    assert re.fullmatch(r"shop/count: since .*Z failed: the disk is full \(run [0-9a-f]{8}\)", result.more[0])
    assert "missed: no host / ran it (run" in result.more[1]


@pytest.mark.parametrize("what", ["count", "dead host", "nothing deployed", "wrong timers"])
def test_critical_is_what_status_exits_3_for(connection: Database, hour: datetime, what: str) -> None:
    assert (checked().code, clocks("status", "--bad").exit_code) == (0, 0)
    match what:
        case "count":
            fail(connection, "count", hour)
        case "dead host":
            connection.execute(DEAD)
        case "nothing deployed":
            connection.execute("UPDATE deployed_job SET valid_until = now()")
        case _:
            connection.execute("UPDATE host SET problems = ARRAY['its zone data are old']")
    assert (checked().code, clocks("status", "--bad").exit_code) == (2, 3)


def test_an_open_incident_is_a_warning_until_somebody_has_seen_it(connection: Database, hour: datetime) -> None:
    connection.execute(LATE)
    result = checked()
    assert (result.code, result.text) == (
        1, "CLOCKS WARNING - 3 jobs, none bad; 1 open incident: late shop/sell",
    )  # fmt: skip
    assert checked("till").code == 0
    clocks("ack", "1", "--reason", "the bank is slow")
    assert checked().code == 0


def test_thresholds_are_for_the_number_of_bad_jobs(connection: Database, hour: datetime) -> None:
    fail(connection, "count", hour)
    assert checked("--critical", "1").code == 1
    assert checked("-c", "1", "-w", "1").code == 0
    fail(connection, "sell", hour)
    assert checked("-c", "1", "-w", "1").code == 2
    assert checked("-c", "1", "-w", "@0:5").data.split()[1] == "bad=2;@0:5;1;0;3"
    connection.execute(DEAD)
    assert checked("-c", "5", "-w", "5").code == 2


def test_a_check_is_limited_by_clock_job_and_owner(connection: Database, hour: datetime) -> None:
    fail(connection, "close", hour, "till")
    connection.execute("UPDATE deployed_job SET options = options || '{\"owner\": \"data\"}' WHERE job = 'count'")
    limits: tuple[list[str], ...] = ([], ["till"], ["till/close"], ["shop"], ["--owner", "data"])
    assert [checked(*arguments).code for arguments in limits] == [2, 2, 2, 0, 0]
    assert checked("--owner", "data").text == "CLOCKS OK - 1 job, none bad"
    fail(connection, "count", hour)
    assert checked("--owner", "data").text == "CLOCKS CRITICAL - 1 bad: shop/count"
    assert [job["job"] for job in ask("status", "--owner", "data")["jobs"]] == ["count"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--owner", "dta"], "no job has the owner 'dta'"),
        (["shp"], "no host has a clock shp; did you mean shop?"),
        (["a b"], "'a b' is neither CLOCK nor CLOCK/JOB"),
        (["--json"], "--check has its own form: leave --json out"),
        (["--no-such-option"], "No such option"),
        (["--timeout", "0"], "Invalid value"),
    ],
)
def test_wrong_usage_is_unknown(connection: Database, hour: datetime, arguments: list[str], why: str) -> None:
    result = checked(*arguments)
    assert result.code == 3
    assert result.line.startswith("CLOCKS UNKNOWN - ")
    assert why in result.line


def test_help_is_not_green(connection: Database) -> None:
    assert clocks("status", "--check", "--help", check=False).exit_code == 3


def test_an_unreachable_or_empty_database_is_unknown(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    result = checked()
    assert (result.code, result.text[:16]) == (3, "CLOCKS UNKNOWN -")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/shop")
    result = checked()
    assert (result.code, result.text[:43]) == (3, "CLOCKS UNKNOWN - PostgreSQL is unreachable:")


def test_an_error_that_nobody_expected_is_unknown(
    connection: Database, hour: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such thing\nat all")

    monkeypatch.setattr("scheduled_tasks.cli.screens.status_check.check", broken)
    assert checked() == (
        3,
        "CLOCKS UNKNOWN - unexpected RuntimeError: no such thing at all; --debug shows the traceback, please report it",
        [],
    )


def test_output_stays_within_what_nagios_reads(connection: Database, hour: datetime) -> None:
    now = datetime.now(UTC)
    jobs = [
        {"clock": "night", "job": f"job_{number:03}", "task": "a.b", "schedule": HOURLY, "options": {"timeout": 600}}
        for number in range(200)
    ]
    deployments.report(connection, "app2", deployments.JobsReport(jobs, "many", now, now))
    account(connection, "app2", now)
    for job in jobs:
        fail(connection, str(job["job"]), hour, "night", error="é" * 300)
    done = clocks("status", "--check", check=False)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("CLOCKS CRITICAL - 200 bad: night/job_000, night/job_001, ")
    assert "night/job_004 and 195 more |" in lines[0]
    assert len(done.stdout.encode()) <= 4001
    assert re.fullmatch(r"and \d+ lines more: see 'clocks status --bad'", lines[-1])
