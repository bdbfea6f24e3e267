"""Requests: a command on one host runs, stops and backfills a job on the other, and each request runs once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.machine.fleet import ETC, Fleet
from tests.machine.inside import Done
from tests.machine.project import FAR_HOUR
from tests.machine.two_hosts.ledger_rows import rows
from tests.machine.waiting import wait_for

pytestmark = pytest.mark.xdist_group("two_hosts")  # two machines for all of them

WATCH_RUNS = ("systemctl", "is-active", "--quiet", "clock-watch.service")


def ask_from_app1(fleet: Fleet, *arguments: str, check: bool = True) -> Done:
    """Run a command on app1 that asks app2, whose watch does not wait for the minute."""
    [(last,)] = fleet.query("SELECT coalesce(max(id), 0) FROM request")
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(fleet.clocks, "app1", *arguments, check=False)
        asked = "SELECT 1 FROM request WHERE id > %s"
        wait_for("the request", lambda: done.done() or fleet.query(asked, last))
        still_open = "SELECT 1 FROM request WHERE id > %s AND outcome IS NULL"
        while fleet.query(still_open, last):
            fleet.machines["app2"].run("systemctl", "start", "--wait", "clock-watch.service", check=False)
        result = done.result()
    assert result.returncode == 0 or not check, result
    return result


def test_another_machine_runs_stops_and_backfills_a_job_by_requests(fleet: Fleet) -> None:
    by = ("--host", "app2", "--reason", "the till was broken")
    ran = ask_from_app1(fleet, "run", "by_hand/works", *by, "--wait")
    [run] = fleet.ask("app1", "history", "by_hand/works", "--limit", "1")
    assert (run["host"], run["status"], run["trigger"]) == ("app2", "ended", "manual")
    assert ran.stdout.startswith(f"run {run['run_id'][:8]} ended on app2 after ")
    [request] = fleet.ask("app2", "requests", "by_hand/works", "--limit", "1")
    assert (request["run_id"], request["state"], request["reason"]) == (run["run_id"], "done", "the till was broken")
    failed = ask_from_app1(fleet, "run", "by_hand/fails", *by, "--wait", check=False)
    assert (failed.returncode, "RuntimeError: no luck today" in failed.stdout) == (1, True)
    slot = f"2026-10-02T{FAR_HOUR:02}:00Z"
    span = ("--from", "2026-10-01T00:00Z", "--to", "2026-10-03T23:00Z")
    ask_from_app1(fleet, "run", "by_hand/daily", *by, "--at", slot, "--wait")
    assert ask_from_app1(fleet, "backfill", "by_hand/daily", *by, *span).stdout == "2 slots done on app2\n"
    october = "scheduled_at < '2026-11-01Z'"
    assert [(status, host, trigger) for status, host, _, trigger in rows(fleet, "by_hand", "daily", october)] == [
        ("ended", "app2", "backfill"), ("ended", "app2", "manual"), ("ended", "app2", "backfill"),
    ]  # fmt: skip
    ask_from_app1(fleet, "run", "each/lasts", *by)
    [lasts] = fleet.ask("app1", "history", "each/lasts", "--limit", "1")
    ask_from_app1(fleet, "stop", lasts["run_id"], "--reason", "it loops")
    ended = "SELECT status FROM task_run WHERE run_id = %s AND status <> 'started'"
    assert wait_for("its end", lambda: fleet.query(ended, lasts["run_id"])) == [("failed",)]


def test_a_watch_that_is_killed_with_a_request_in_its_hands_runs_it_once(fleet: Fleet) -> None:
    """Killed right after it has taken the request: its next pass continues when the lease is over."""
    app2 = fleet.machines["app2"]
    app2.run("systemctl", "stop", "clock-watch.timer")
    try:
        wait_for("the end of its watch", lambda: app2.run(*WATCH_RUNS, check=False).returncode != 0)
        # Where the watch is when its statement waits for this lock: it has taken the request and started nothing.
        with psycopg.connect(fleet.url) as blocking:
            number = fleet.query(
                "SELECT ask_request('run', 'by_hand', 'works', 'app2', NULL, NULL, NULL, false, 'anna', 'a test')"
            )[0][0]
            blocking.execute("LOCK TABLE past_attempt IN ACCESS EXCLUSIVE MODE")
            app2.run("systemctl", "start", "--no-block", "clock-watch.service")
            taken = "SELECT 1 FROM request WHERE id = %s AND taken_by = 'app2'"
            wait_for("the request to be taken", lambda: fleet.query(taken, number))
            app2.run("systemctl", "kill", "--signal=KILL", "clock-watch.service")
            wait_for("its death", lambda: app2.run(*WATCH_RUNS, check=False).returncode != 0)
        assert fleet.query("SELECT outcome, started_at FROM request WHERE id = %s", number) == [(None, None)]
        run = "SELECT run.status FROM task_run AS run JOIN request USING (run_id) WHERE id = %s"
        assert fleet.query(run, number) == []
        fleet.query("UPDATE request SET taken_until = clock_timestamp() WHERE id = %s", number)
        for _ in range(2):
            app2.run("systemctl", "start", "--wait", "clock-watch.service")
        assert fleet.query(run, number) == [("ended",)]
        assert fleet.query("SELECT outcome FROM request WHERE id = %s", number) == [("done",)]
    finally:
        app2.run("systemctl", "reset-failed", check=False)
        app2.run("systemctl", "start", "clock-watch.timer")


def test_a_listening_host_takes_a_request_without_waiting_for_the_minute(
    fleet: Fleet, record_property: Callable[[str, object], None]
) -> None:
    app1 = fleet.machines["app1"]
    configuration = app1.root / f"{ETC}/config.toml".lstrip("/")
    before = configuration.read_text()
    active = ("systemctl", "is-active", "--quiet", "clock-listen.service")
    configuration.write_text(f"{before}listen = true\n")
    try:
        assert fleet.ask("app1", "apply")["changed"]
        wait_for("the listener", lambda: app1.run(*active, check=False).returncode == 0)
        wait_for("its session", lambda: fleet.query("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'"))
        app1.run("systemctl", "stop", "clock-watch.timer")  # only the listener starts it now
        fleet.clocks("app2", "run", "by_hand/works", "--host", "app1", "--reason", "the till was broken")
        [(taken, started)] = fleet.query(
            "SELECT extract(epoch FROM taken_at - asked_at)::float, extract(epoch FROM started_at - asked_at)::float"
            " FROM request ORDER BY id DESC LIMIT 1"
        )
        record_property("seconds until a request was taken, and its service started", (taken, started))
        pid = app1.run("systemctl", "show", "clock-listen.service", "--property=MainPID", "--value").stdout.strip()
        memory = app1.run("grep", "VmRSS", f"/proc/{pid}/status").stdout.split()[1]
        record_property("its resident memory in kB", memory)
    finally:
        configuration.write_text(before)
        fleet.ask("app1", "apply")
        app1.run("systemctl", "start", "clock-watch.timer")
    wait_for("the end of the listener", lambda: app1.run(*active, check=False).returncode != 0)
    assert app1.run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "clock-listen*").stdout == ""
