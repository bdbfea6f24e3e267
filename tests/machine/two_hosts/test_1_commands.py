"""Pauses, runs, logs and backfills on two hosts: each acts on the hosts it is for, and both see it in the ledger."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine.fleet import ETC, FOLDER, Fleet
from tests.machine.project import FAR_HOUR
from tests.machine.two_hosts.ledger_rows import deployed, now, rows
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("two_hosts")  # two machines for all of them


def test_an_apply_reports_the_jobs_of_its_host_to_the_database(fleet: Fleet) -> None:
    assert deployed(fleet) == [("app1", 10), ("app2", 10)]


def test_a_pause_for_the_fleet_applies_on_both_hosts_with_its_reason(fleet: Fleet) -> None:
    fleet.clocks("app1", "pause", "beat/tick", "--reason", "the till is broken", "--until", "1h")
    since = now(fleet)
    try:
        wait_for("a skipped slot", lambda: rows(fleet, "beat", "tick", "status = 'skipped'"))
        [effects] = fleet.query("SELECT count(*) FROM effect WHERE what = 'tick' AND at > %s", since)
        assert effects == (0,)
        assert "the till is broken" in rows(fleet, "beat", "tick", "status = 'skipped'")[0][2]
        [job] = fleet.ask("app2", "status", "beat")["jobs"]
        assert [pause["reason"] for pause in job["paused"]] == ["the till is broken"]
    finally:
        fleet.clocks("app2", "resume", "beat/tick")
    since = now(fleet)
    wait_for("a run", lambda: fleet.query("SELECT 1 FROM effect WHERE what = 'tick' AND at > %s", since))


def test_a_pause_by_file_applies_on_its_host_only(fleet: Fleet) -> None:
    fleet.clocks("app1", "pause", "beat", "--here", "--reason", "a disk is changed")
    since = now(fleet)
    try:
        wait_for(
            "three runs", lambda: len(fleet.query("SELECT 1 FROM effect WHERE what = 'tick' AND at > %s", since)) > 2,
        )  # fmt: skip
        hosts = fleet.query(
            "SELECT DISTINCT host FROM task_run WHERE clock = 'beat' AND scheduled_at > %s AND status = 'ended'", since
        )
        assert hosts == [("app2",)]
        shown = fleet.machines["app1"].run("systemctl", "show", "clock-beat-tick.service", "--property=ConditionResult")
        assert shown.stdout.strip() == "ConditionResult=no"
        assert not fleet.ask("app1", "apply")["changed"]  # a deploy doesn't resume
        assert (fleet.machines["app1"].root / "etc/scheduled-tasks/paused/beat").exists()
    finally:
        fleet.clocks("app1", "resume", "beat", "--here")
    assert fleet.query("SELECT host, reason FROM pause WHERE local_id IS NOT NULL AND resumed_at IS NOT NULL") == [
        ("app1", "a disk is changed")
    ]


def test_a_run_by_hand_shows_its_log_lines_and_returns_its_exit_code(fleet: Fleet) -> None:
    done = fleet.clocks("app1", "run", "by_hand/works", "--wait", check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["status"] for line in lines if "status" in line] == ["started", "ended"]
    assert "worked on by hand" in [line["message"] for line in lines]
    failed = fleet.clocks("app1", "run", "by_hand/fails", "--wait", check=False)
    assert failed.returncode == 1
    assert "no luck today" in failed.stdout
    [run] = fleet.ask("app1", "history", "by_hand/fails")
    shown = fleet.ask("app1", "show", run["run_id"])
    assert shown["unit"] == "clock-by_hand-fails.service"
    assert "no luck today" in "".join(shown["log_lines"])


def on_a_terminal(fleet: Fleet, *arguments: str, term: str = "dumb") -> subprocess.CompletedProcess[str]:
    """Run `clocks` on app1 with a terminal of 80 columns as its output."""
    environment = f"SCHEDULED_TASKS_CONFIG={ETC}/config.toml CREDENTIALS_DIRECTORY={ETC}/credentials"
    command = f"stty cols 80; exec env TERM={term} NO_COLOR=1 {environment} {FOLDER}/bin/clocks {shlex.join(arguments)}"
    return fleet.machines["app1"].run("script", "-qec", command, "/dev/null", check=False, seconds=180)


def test_logs_are_for_people_on_a_terminal_and_json_in_a_pipe(fleet: Fleet) -> None:
    failed = on_a_terminal(fleet, "run", "by_hand/fails", "--wait")
    assert failed.returncode == 1
    lines = failed.stdout.replace("\r", "").splitlines()
    [started, end] = [line for line in lines if line[9:18] in {"started  ", "failed   "}]
    assert re.fullmatch(r"\d\d:\d\d:\d\d started  run [0-9a-f]{8}", started)
    assert re.fullmatch(r"\d\d:\d\d:\d\d failed   after \S+ s, exit code 1: RuntimeError: no luck today", end)
    assert "                  Traceback (most recent call last):" in lines
    [run] = fleet.ask("app1", "history", "by_hand/fails", "--limit", "1")
    for command in (["show", run["run_id"]], ["logs", "by_hand/fails"]):
        shown = on_a_terminal(fleet, *command).stdout.replace("\r", "").splitlines()
        assert set(lines) <= set(shown), command
    piped = [
        json.loads(line) for line in fleet.clocks("app1", "logs", "by_hand/fails", "--lines", "20").stdout.splitlines()
    ]
    assert [line["status"] for line in piped if line.get("run_id") == run["run_id"]] == ["started", "failed"]
    assert {line["level"] for line in piped if line["logger"] == "systemd"} >= {"warning"}
    assert "no luck today" in piped[-1]["message"] or any("no luck today" in str(line) for line in piped)
    somebody = (
        "setpriv",
        "--reuid=1",
        "--regid=1",
        "--clear-groups",
        "env",
        f"SCHEDULED_TASKS_CONFIG={ETC}/config.toml",
    )
    denied = fleet.machines["app1"].run(*somebody, f"{FOLDER}/bin/clocks", "logs", "by_hand/fails", check=False)
    assert (denied.returncode, denied.stdout) == (77, "")
    assert "run this as root, or as a member of systemd-journal" in denied.stderr
    later = fleet.clocks("app1", "logs", "by_hand/fails", "--since", "2099-01-01", check=False)
    assert (later.stdout, later.stderr) == ("", "clocks: the journal has no such lines\n")
    unknown = fleet.clocks("app1", "logs", "by_hand/fials", check=False)
    assert (unknown.returncode, "did you mean fails?" in unknown.stderr) == (64, True)


def test_logs_show_what_a_killed_run_printed_and_what_systemd_says_of_it(fleet: Fleet) -> None:
    killed = on_a_terminal(fleet, "run", "by_hand/dies", "--wait")
    assert killed.returncode == 137
    assert "\x1b" not in killed.stdout
    assert r"info     last words \u001b[2J  logger=run-task" in killed.stdout
    assert "status=9/KILL  logger=systemd" in killed.stdout
    assert "warning  clock-by_hand-dies.service: Failed with result 'signal'." in killed.stdout


def stored_lines(fleet: Fleet, job: str) -> tuple[str, list[dict[str, Any]]]:
    """The last run of a job on app1, and its lines as app2 shows them."""
    [run] = fleet.ask("app1", "history", f"by_hand/{job}", "--limit", "1")
    lines: list[str] = wait_for("its lines", lambda: fleet.ask("app2", "show", run["run_id"])["log_lines"])
    return run["run_id"], [json.loads(line) for line in lines]


def test_the_last_lines_of_a_failed_run_are_in_the_ledger_at_once_without_secrets(fleet: Fleet) -> None:
    fleet.machines["app1"].run("systemctl", "stop", "clock-watch.timer")  # what stores them is the failure service
    try:
        assert fleet.clocks("app1", "run", "by_hand/spills", "--wait", check=False).returncode == 1
        run_id, lines = stored_lines(fleet, "spills")
        assert [line["status"] for line in lines if "status" in line] == ["started", "failed"]
        assert "connected to *** with password=***" in [line["message"] for line in lines]
        assert lines[-1]["message"] == "clock-by_hand-spills.service: Failed with result 'exit-code'."
        assert "RuntimeError: no luck today" in lines[-3]["exception"]["traceback"]
        others = fleet.clocks("app2", "logs", "by_hand/spills").stdout.splitlines()
        assert [json.loads(line) for line in others] == lines
        fleet.clocks("app1", "run", "by_hand/dies", "--wait", check=False)
        assert "last words \x1b[2J" in [line["message"] for line in stored_lines(fleet, "dies")[1]]
    finally:
        fleet.machines["app1"].run("systemctl", "start", "clock-watch.timer")
    assert fleet.query("SELECT clock, job, host FROM run_log WHERE run_id = %s", run_id) == [
        ("by_hand", "spills", "app1")
    ]


def test_the_lines_of_any_other_run_are_fetched_from_its_host(fleet: Fleet) -> None:
    fleet.clocks("app1", "run", "by_hand/works", "--wait")
    [run] = fleet.ask("app1", "history", "by_hand/works", "--limit", "1")
    with ThreadPoolExecutor(1) as threads:
        fetched = threads.submit(fleet.clocks, "app2", "show", run["run_id"], "--fetch-log")
        wait_for("the request", lambda: fleet.query("SELECT 1 FROM run_log WHERE run_id = %s", run["run_id"]))
        fleet.machines["app1"].run("systemctl", "start", "--wait", "clock-watch.service")
        assert "worked on by hand" in fetched.result().stdout


def test_logs_follow_a_job_until_interrupted(fleet: Fleet, tmp_path: Path) -> None:
    app1 = fleet.machines["app1"]
    environment = f"SCHEDULED_TASKS_CONFIG={ETC}/config.toml CREDENTIALS_DIRECTORY={ETC}/credentials"
    follow = f"echo $$ >/run/following; exec env {environment} {FOLDER}/bin/clocks logs by_hand/works -f --since 1s"
    printed = tmp_path / "printed"
    with printed.open("w") as output:
        command = ["nsenter", "--target", str(app1.leader), "--all", "sh", "-c", follow]
        following = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        fleet.clocks("app1", "run", "by_hand/works", "--wait")
        [run] = fleet.ask("app1", "history", "by_hand/works", "--limit", "1")
        # `--since 1s` can show an earlier run as well.
        followed = partial(_statuses, printed, run["run_id"])
        wait_for("the end of the run", lambda: "ended" in followed())
        app1.run("sh", "-c", "kill -INT $(cat /run/following)")
        assert following.wait(30) == 130, printed.read_text()
    assert followed() == ["started", "ended"]


def _statuses(printed: Path, run_id: str) -> list[str]:
    """What the complete lines of a file say of a run."""
    lines = [json.loads(line) for line in printed.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [line["status"] for line in lines if line.get("run_id") == run_id and "status" in line]


def test_a_paused_job_runs_by_hand_only_with_force(fleet: Fleet) -> None:
    fleet.clocks("app1", "pause", "by_hand", "--here", "--reason", "counting")
    try:
        rejected = fleet.clocks("app1", "run", "by_hand/works", check=False)
        assert (rejected.returncode, "counting" in rejected.stderr) == (75, True)
        assert fleet.clocks("app1", "run", "by_hand/works", "--wait", "--force", check=False).returncode == 0
        plain = fleet.machines["app1"].run("systemctl", "start", "clock-by_hand-works.service", check=False)
        assert plain.returncode == 0
        shown = fleet.machines["app1"].run(
            "systemctl", "show", "clock-by_hand-works.service", "--property=ConditionResult"
        )
        assert shown.stdout.strip() == "ConditionResult=no"
    finally:
        fleet.clocks("app1", "resume", "by_hand", "--here")


def test_a_backfill_runs_slots_in_order_and_resumes_where_it_stopped(fleet: Fleet) -> None:
    span = ("--from", "2026-11-01T00:00Z", "--to", "2026-11-03T23:00Z")
    first = fleet.clocks("app1", "run", "by_hand/daily", "--wait", "--at", f"2026-11-02T{FAR_HOUR:02}:00Z", check=False)
    assert first.returncode == 0, first.stdout + first.stderr
    seen = on_a_terminal(fleet, "backfill", "by_hand/daily", *span, term="xterm")
    assert (seen.returncode, seen.stdout.count("ended    after")) == (0, 2)
    assert [count for count in ("0/2", "1/2", "2/2") if count in seen.stdout] == ["0/2", "1/2", "2/2"]
    assert fleet.ask("app1", "backfill", "by_hand/daily", *span)["slots"] == []
    assert [(status, trigger) for status, _, _, trigger in rows(fleet, "by_hand", "daily")] == [
        ("ended", "backfill"), ("ended", "manual"), ("ended", "backfill"),
    ]  # fmt: skip
    assert fleet.query("SELECT count(*) FROM effect WHERE what = 'day'") == [(3,)]


def test_a_slot_that_a_pause_blocked_runs_once_if_the_job_catches_up(fleet: Fleet) -> None:
    fleet.query("UPDATE deployed_job SET valid_from = now() - interval '2 days' WHERE job IN ('caught_up', 'left_out')")
    fleet.query(
        "INSERT INTO pause (clock, paused_at, paused_by, reason, resumed_at, resumed_by)"
        " VALUES ('by_hand', now() - interval '1 day', 'anna', 'the move', clock_timestamp(), 'anna')"
    )
    for host in fleet.machines:
        fleet.clocks(host, "watch")
    wait_for("the run", lambda: rows(fleet, "by_hand", "caught_up", "status = 'ended'"))
    for unit in ("clock-by_hand-caught_up.service", "clock-by_hand-left_out.service"):
        for machine in fleet.machines.values():
            idle = ("systemctl", "is-active", "--quiet", unit)
            wait_for("its end", lambda m=machine, i=idle: m.run(*i, check=False).returncode != 0)  # type: ignore[misc]
    effects = fleet.query("SELECT what, count(*) FROM effect WHERE what IN ('caught up', 'left out') GROUP BY what")
    assert effects == [("caught up", 1)]
    [(status, _, _, trigger)] = rows(fleet, "by_hand", "caught_up", "status = 'ended'")
    assert (status, trigger) == ("ended", "watch")
