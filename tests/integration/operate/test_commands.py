"""The operators' commands on a filled ledger: the whole command line, in this process."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduled_tasks.cli.commands import MODULE_OF
from scheduled_tasks.operate import deployments, history, status
from scheduled_tasks.operate.account import account
from tests.integration.operate.shop import HOURLY, SHOP, Database, ask, clocks, hours_before, ran
from tests.machine.screens import CONTROLS
from tests.pseudo_terminal import on_a_terminal

CLOCKS = (sys.executable, "-m", "scheduled_tasks.cli")


def test_status_shows_since_when_and_how_many_times_in_a_row_a_job_failed(connection: Database, hour: datetime) -> None:
    for number, became in enumerate(["failed", "skipped", "failed", "missed", "ended", "failed"]):
        ran(connection, "count", hours_before(hour, number), became, reason=became)
    ran(connection, "sell", hour, "ended")
    answer = ask("status")
    assert answer["healthy"] is False
    jobs = {f"{job['clock']}/{job['job']}": job for job in answer["jobs"]}
    assert list(jobs) == ["shop/count", "shop/sell", "till/close"]
    count = jobs["shop/count"]
    [failure] = count["failures"]
    assert (count["state"], count["last"], failure["streak"]) == ("bad", "failed", 3)
    assert datetime.fromisoformat(failure["since"]) == datetime.fromisoformat(count["since"]) == hours_before(hour, 3)
    assert datetime.fromisoformat(jobs["shop/sell"]["next_run"]) == hour + timedelta(hours=1)
    assert (jobs["till/close"]["last"], jobs["till/close"]["state"]) == ("", "new")
    assert clocks("status").exit_code == 3
    assert clocks("status", "till").exit_code == 0
    bad = clocks("status", "--bad").stdout
    assert "shop/count" in bad
    assert "3 bad in a row" in bad
    assert "shop/sell" not in bad


def test_status_shows_running_jobs_and_who_paused_which(connection: Database, hour: datetime) -> None:
    ran(connection, "sell", hour, "started", ended_at=None, started_at=datetime.now(UTC))
    clocks("pause", "shop/count", "--reason", "the till is broken", "--until", "2h")
    shown = clocks("status")
    lines = {line.split()[0]: line for line in shown.stdout.splitlines() if line}
    assert "running" in lines["shop/sell"]
    assert "paused by anna: the till is broken" in lines["shop/count"]
    assert shown.stdout.splitlines()[-1] == "3 jobs: 0 bad, 1 running, 1 paused"
    assert shown.exit_code == 0


def test_a_host_without_a_heartbeat_is_bad(connection: Database, hour: datetime) -> None:
    connection.execute("UPDATE host SET heartbeat_at = heartbeat_at - interval '6 minutes'")
    shown = clocks("status")
    assert shown.exit_code == 3
    assert "no heartbeat from app1 since" in shown.stdout


def test_pause_and_resume_report_what_changed_and_which_pauses_remain(connection: Database, hour: datetime) -> None:
    pause = ("pause", "shop/count", "--reason", "counting")
    assert clocks(*pause).stdout == "shop/count: paused\n"
    assert clocks(*pause).stdout == "shop/count: nothing to do, it is already paused\n"
    assert ask("pause", "--all", "--reason", "the move")["changed"] is True
    resumed = clocks("resume", "shop/count").stdout.splitlines()
    assert resumed[0] == "shop/count: resumed"
    assert resumed[1].startswith("still paused: all clocks since ")
    assert resumed[1].endswith(" by anna: the move")
    assert ask("resume", "--all")["still_paused_by"] == []
    assert ask("resume", "--all")["changed"] is False
    rows = connection.execute("SELECT clock, job, paused_by, resumed_by FROM pause ORDER BY id").fetchall()
    assert rows == [("shop", "count", "anna", "anna"), (None, None, "anna", "anna")]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["pause", "shop/cuont", "--reason", "x"], 64, "the clock shop has no job cuont; did you mean count?"),
        (["pause", "shoop", "--reason", "x"], 64, "no host has a clock shoop; did you mean shop?"),
        (["pause", "--reason", "x"], 64, "give either CLOCK[/JOB] or --all"),
        (["pause", "shop", "--reason", " "], 64, "--reason is empty"),
        (["pause", "shop", "--reason", "x", "--until", "2020-01-01"], 64, "is in the past"),
        (["pause", "shop", "--reason", "x", "--until", "soon"], 64, "'soon' is not an instant; write for example "),
        (["history", "Shop!"], 64, "is neither CLOCK nor CLOCK/JOB"),
        (["show", "zz"], 64, "is not the ID of a run"),
        (["show", "abcdef01"], 64, "no run begins with abcdef01"),
        (["run", "shop"], 64, "names no job: write CLOCK/JOB"),
        (["run", "shop/count"], 64, "is not deployed on this host; it is on app1"),
        (["backfill", "shop/nope", "--from", "2h", "--to", "1h"], 64, "the clock shop has no job nope; there are"),
    ],
)  # fmt: skip
def test_an_invalid_argument_is_rejected_with_what_to_write(
    hour: datetime, argv: list[str], code: int, message: str
) -> None:
    done = clocks(*argv, check=False)
    assert (done.exit_code, message in done.stderr) == (code, True), done.stderr


def test_history_filters_by_clock_job_status_and_time(connection: Database, hour: datetime) -> None:
    for number in range(4):
        ran(connection, "count", hours_before(hour, number), "ended" if number % 2 else "missed")
        ran(connection, "close", hours_before(hour, number), "ended", clock="till")

    def shown(*argv: str) -> list[tuple[str, int]]:
        return [
            (row["job"], round((hour - datetime.fromisoformat(row["scheduled_at"])).total_seconds() / 3600))
            for row in ask("history", *argv)
        ]

    assert len(shown()) == 8
    assert shown("shop") == [("count", 0), ("count", 1), ("count", 2), ("count", 3)]
    assert shown("shop/count", "--status", "missed") == [("count", 0), ("count", 2)]
    assert shown("--status", "missed", "--limit", "1") == [("count", 0)]
    assert shown("till/close", "--since", hours_before(hour, 1).isoformat()) == [("close", 0), ("close", 1)]
    assert shown("shop/sell") == []


def test_show_finds_a_run_by_the_first_characters_of_its_id(connection: Database, hour: datetime) -> None:
    ran(connection, "count", hour, "failed", error_type="RuntimeError", error_message="no luck", exit_code=1)
    [row] = ask("history", "shop/count")
    shown = ask("show", row["run_id"][:10])
    assert (shown["run_id"], shown["unit"], shown["log_lines"]) == (row["run_id"], "clock-shop-count.service", [])
    assert "RuntimeError" in clocks("show", row["run_id"]).stdout


def test_watch_outside_a_deployed_host_only_audits(connection: Database, hour: datetime) -> None:
    assert ask("watch")["recorded"] == []
    assert [host for (host,) in connection.execute("SELECT name FROM host")] == ["app1"]


def test_queries_about_many_jobs_use_indices_only(connection: Database) -> None:
    connection.execute(
        "INSERT INTO task_run (run_id, task, clock, job, scheduled_at, slot_host, host, trigger, status, started_at)"
        " SELECT gen_random_uuid(), 't', 'c' || n % 50, 'j' || n % 1000,"
        " '2026-11-01'::timestamptz + n * interval '1 s', '', 'app1', 'timer',"
        " CASE WHEN n % 97 = 0 THEN 'missed' ELSE 'ended' END,"
        " '2026-11-01'::timestamptz + n * interval '1 s' FROM generate_series(1, 60000) AS n"
    )
    connection.execute("ANALYZE task_run")

    def counted(what: str) -> int:
        connection.execute("SELECT pg_stat_force_next_flush()")
        [(number,)] = connection.execute(
            f"SELECT {what} FROM pg_stat_user_tables WHERE relname = 'task_run'"
        ).fetchall()
        return int(number)

    before = counted("seq_scan")
    assert len(history.history(connection, limit=20)) == 20
    assert len(history.history(connection, limit=20, status="missed")) == 20
    assert len(history.history(connection, limit=20, clock="c7")) == 20
    assert len(history.history(connection, limit=20, clock="c7", job="j7", status="missed")) == 1
    options: dict[str, Any] = {"catch_up": True, "timeout": 600}
    jobs = [
        {"clock": f"c{n % 50}", "job": f"j{n}", "task": "t", "schedule": HOURLY, "options": options}
        for n in range(1000)
    ]
    at = datetime(2026, 11, 2, tzinfo=UTC)
    deployments.report(connection, "app1", deployments.JobsReport(jobs, "many", at, at))
    read = counted("idx_tup_fetch")
    assert len(status.jobs(connection, at)) == 1000
    assert counted("idx_tup_fetch") - read < 10 * 1000
    account(connection, "app1", at)
    account(connection, "app1", at + timedelta(minutes=1))
    assert counted("seq_scan") == before


def test_status_watch_shows_changes_as_they_happen(connection: Database, hour: datetime) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {
        "SCHEDULED_TASKS_CONFIG": str(SHOP / "pyproject.toml"),
        "TERM": "xterm",
        "COLUMNS": "200",
    }
    command = [*CLOCKS, "status", "--watch"]
    shown = b""

    def read_until(words: str) -> None:
        nonlocal shown
        deadline = time.monotonic() + 240
        while words not in CONTROLS.sub("", shown.decode(errors="replace")):
            ready, _, _ = select.select([ours], [], [], max(deadline - time.monotonic(), 0))
            assert ready, shown
            assert time.monotonic() < deadline, shown
            shown += os.read(ours, 65536)

    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as watching:
        read_until("3 jobs: 0 bad")
        ran(connection, "count", hour, "failed")
        read_until("3 jobs: 1 bad")
        watching.send_signal(signal.SIGINT)
    os.close(theirs)
    os.close(ours)
    assert watching.returncode == 130


def test_80_columns_have_room_for_whole_names_and_reasons(connection: Database, hour: datetime) -> None:
    ran(connection, "count", hour, "failed", reason="the till is on fire " * 5)
    for command in (["status", "--bad"], ["history"]):
        lines = on_screen(*command).splitlines()
        assert max(map(len, lines)) <= 80, lines
        row = next(number for number, line in enumerate(lines) if "shop/count" in line)
        assert lines[row + 1].startswith("    ")
        assert " ".join(" ".join(lines[row + 1 :]).split()).count("the till is on fire") == 5


def on_screen(*arguments: str) -> str:
    """What a command prints on a terminal of 80 columns."""
    environment = os.environ | {"SCHEDULED_TASKS_CONFIG": str(SHOP / "pyproject.toml"), "TERM": "dumb"}
    return on_a_terminal([*CLOCKS, *arguments], env=environment).text.replace("\r", "")


def test_pages_of_the_history_have_every_attempt_once_however_many_began_in_one_instant(
    connection: Database, hour: datetime
) -> None:
    for job in ("count", "sell"):
        for number in range(4):
            ran(connection, job, hours_before(hour, number), "missed", started_at=hour)
    again = "UPDATE task_run SET attempt = attempt + 1, status = 'failed' WHERE scheduled_at = %s"
    for _ in range(3):  # a retry is an attempt of the same run
        connection.execute(again, [hour])
    for which in ([], ["shop"], ["shop/count"], ["--status", "missed"]):
        rows = ask("history", *which)
        pages = [ask("history", *which, "--limit", "3")]
        while pages[-1]:
            last = pages[-1][-1]
            pages.append(ask("history", *which, "--limit", "3", "--before", f"{last['run_id']}.{last['attempt']}"))
        assert [row for page in pages for row in page] == rows
        assert len({(row["run_id"], row["attempt"]) for row in rows}) == len(rows) > 3
    [first, *rest] = ask("history", "shop/count")
    assert ask("history", "shop/count", "--before", first["run_id"]) == rest
    done = clocks("history", "--before", f"{first['run_id']}.17", check=False)
    assert (done.exit_code, "has no attempt 17" in done.stderr) == (64, True)


IMPORTED = """
import sys
from scheduled_tasks.cli import main
try:
    main(["status", "--bad"], prog_name="clocks")
except SystemExit as end:
    assert end.code == 0
print(*sys.modules)
"""


def test_status_imports_nothing_of_other_commands(connection: Database, hour: datetime) -> None:
    ran(connection, "count", hour, "ended")
    environment = os.environ | {"SCHEDULED_TASKS_CONFIG": str(SHOP / "pyproject.toml")}
    command = [sys.executable, "-Pc", IMPORTED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    modules = done.stdout.splitlines()[-1].split()
    others = (
        *("rich", "jinja2", "apscheduler", "watchfiles", "scheduled_tasks.deploy", "scheduled_tasks.importers"),
        *("scheduled_tasks.exporters", "scheduled_tasks.render.units", "scheduled_tasks.operate.history"),
        *("scheduled_tasks.operate.hosts", "scheduled_tasks.operate.embedded", "scheduled_tasks.operate.reconcile"),
        *(f"scheduled_tasks.cli.{module}" for module in MODULE_OF.values() if module != "status"),
    )
    assert [name for name in modules if f"{name}.".startswith(tuple(f"{other}." for other in others))] == []
