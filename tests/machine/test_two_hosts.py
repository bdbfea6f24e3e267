"""Two hosts with one ledger: every slot has one row and one effect, and each host accounts for the other if it dies."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.machine.fleet import ETC, FOLDER, Fleet, two_machines
from tests.machine.inside import Done
from tests.machine.machine import Machine
from tests.machine.project import FAR_HOUR
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("two_hosts")  # two machines for all of them

WATCH_RUNS = ("systemctl", "is-active", "--quiet", "clock-watch.service")
# Every test has its own jobs; `beat` is due all the time.
BEAT = 'scheduler.add_job(work, "cron", ["tick"], id="tick", second="*/5", misfire_grace_time=1)'
BY_HAND = f"""
scheduler.add_job(work, "cron", ["by hand"], id="works", year=2100)
scheduler.add_job(fail, "cron", id="fails", year=2100)
scheduler.add_job(die, "cron", id="dies", year=2100)
scheduler.add_job(spill, "cron", id="spills", year=2100, log_namespace="aside")
scheduler.add_job(work, "cron", ["day"], id="daily", hour={FAR_HOUR})
scheduler.add_job(work, "cron", ["caught up"], id="caught_up", hour={FAR_HOUR}, catch_up_after_pause=True)
scheduler.add_job(work, "cron", ["left out"], id="left_out", hour={FAR_HOUR})
"""
EACH = 'scheduler.add_job(work, "cron", ["each"], id="each", second="*/10", misfire_grace_time=1, per_host=True)'
LASTS = 'scheduler.add_job(last, "cron", ["lasts"], id="lasts", year=2100, timeout=60)'


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with two_machines("app1", "app2") as both:
        both.write(beat=BEAT, by_hand=BY_HAND, each=f"{EACH}\n{LASTS}")
        for host in both.machines:
            assert both.ask(host, "apply")["changed"]
        yield both


def rows(fleet: Fleet, clock: str, job: str, condition: str = "true") -> list[tuple[Any, ...]]:
    return fleet.query(
        f"SELECT status, host, reason, trigger FROM task_run WHERE clock = %s AND job = %s AND {condition}"
        " ORDER BY scheduled_at",
        clock, job,
    )  # fmt: skip


def deployed(fleet: Fleet) -> list[tuple[Any, ...]]:
    return fleet.query("SELECT host, count(*) FROM deployed_job WHERE valid_until IS NULL GROUP BY host ORDER BY host")


def now(fleet: Fleet) -> Any:
    return fleet.query("SELECT clock_timestamp()")[0][0]


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
        wait_for("the followed lines", lambda: '"status": "ended"' in printed.read_text())
        app1.run("sh", "-c", "kill -INT $(cat /run/following)")
        assert following.wait(30) == 130, printed.read_text()
    lines = [json.loads(line) for line in printed.read_text().splitlines()]
    assert [line["status"] for line in lines if "status" in line][-2:] == ["started", "ended"]


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


def test_every_host_runs_its_watch_every_minute(fleet: Fleet) -> None:
    def has_run(machine: Machine) -> bool:
        shown = machine.run("systemctl", "show", "clock-watch.service", "--property=ExecMainExitTimestamp,Result")
        return set(shown.stdout.split("\n")) > {"Result=success"} and "ExecMainExitTimestamp=\n" not in shown.stdout

    for machine in fleet.machines.values():
        wait_for("the watch", lambda m=machine: has_run(m))  # type: ignore[misc]
    assert {host for (host,) in fleet.query("SELECT name FROM host WHERE release <> ''")} == {"app1", "app2"}


def host_names(fleet: Fleet) -> list[str]:
    return [host for (host,) in fleet.query("SELECT name FROM host ORDER BY name")]


def test_a_second_machine_of_a_name_is_refused_and_with_a_new_name_it_goes_on(fleet: Fleet) -> None:
    second = fleet.machines["app2"]
    paused = second.root / "etc/scheduled-tasks/paused/every-clock"
    fleet.clocks("app1", "run", "each/lasts")
    wait_for("its row", lambda: rows(fleet, "each", "lasts", "status = 'started'"))
    # A watch of its own that had begun before the name changes would lift the pause.
    second.run("systemctl", "stop", "clock-watch.timer")
    active = ("systemctl", "is-active", "--quiet", "clock-watch.service")
    wait_for("the end of its watch", lambda: second.run(*active, check=False).returncode != 0)
    second.run("hostname", "app1")
    for command, code in (("watch", 78), ("reconcile", 78), ("apply", 78), ("check", 65)):
        refused = fleet.clocks("app2", command, check=False)
        assert (refused.returncode, command) == (code, command), refused.stderr
        assert "the name app1 belongs to another machine" in refused.stdout + refused.stderr
    [finding] = [finding for finding in fleet.ask("app2", "doctor") if finding["where"] == "host"]
    assert "clocks forget-host app1" in finding["problem"]
    assert rows(fleet, "each", "lasts", "status = 'lost'") == []
    second.run("systemctl", "start", "clock-by_hand-works.service")
    shown = second.run("systemctl", "show", "clock-by_hand-works.service", "--property=ConditionResult")
    assert (shown.stdout.strip(), paused.exists()) == ("ConditionResult=no", True)
    assert host_names(fleet) == ["app1", "app2"]
    fleet.clocks("app1", "watch")
    for name in ("app3", "app2"):
        second.run("hostname", name)
        fleet.clocks("app2", "watch")
        assert (host_names(fleet), paused.exists()) == (["app1", name], False)
        assert {host for host, _ in deployed(fleet)} == {"app1", name}
    second.run("systemctl", "start", "clock-watch.timer")


def test_a_host_records_what_a_dead_host_cannot(fleet: Fleet) -> None:
    fleet.clocks("app2", "run", "each/lasts")
    its = "host = 'app2' AND status"  # the run of the other host may still be there
    wait_for("its row", lambda: rows(fleet, "each", "lasts", f"{its} = 'started'"))
    fleet.kill("app2")
    died = now(fleet)
    # So that the test need not wait until the host is considered dead and its run has expired.
    fleet.query("UPDATE host SET heartbeat_at = heartbeat_at - interval '10 minutes' WHERE name = 'app2'")
    fleet.query(f"UPDATE task_run SET expires_at = clock_timestamp() WHERE job = 'lasts' AND {its} = 'started'")
    missed = "status = 'missed' AND slot_host = 'app2' AND scheduled_at > '%s'"

    def watch_until(row: Callable[[], list[tuple[Any, ...]]]) -> bool:
        fleet.clocks("app1", "watch")
        return bool(row())

    wait_for("a missed slot", lambda: watch_until(lambda: rows(fleet, "each", "each", missed % died)))
    assert rows(fleet, "each", "each", missed % died)[0][1] == "app2"
    assert "no heartbeat from app2 since" in rows(fleet, "each", "each", missed % died)[0][2]
    # On a busy machine a run can last until the next slot, which is skipped then.
    assert rows(fleet, "each", "each", "slot_host = 'app1' AND status NOT IN ('ended', 'started', 'skipped')") == []
    wait_for("the lost run", lambda: watch_until(lambda: rows(fleet, "each", "lasts", f"{its} = 'lost'")))
    assert fleet.clocks("app1", "status", check=False).returncode == 3


def test_a_host_that_is_gone_is_let_go_of(fleet: Fleet) -> None:
    fleet.clocks("app1", "forget-host", "app2")
    assert [host["host"] for host in fleet.ask("app1", "status")["hosts"]] == ["app1"]
    assert "app2" not in fleet.clocks("app1", "status", check=False).stdout


def test_every_run_that_ended_did_its_work_once(fleet: Fleet) -> None:
    before = now(fleet)
    works = {"beat": "tick", "each": "each"}
    for clock, what in works.items():
        [(ended,)] = fleet.query(
            "SELECT count(*) FROM task_run WHERE clock = %s AND job = %s AND status = 'ended' AND ended_at < %s",
            clock, what, before,
        )  # fmt: skip
        [(later,)] = fleet.query(
            "SELECT count(*) FROM task_run WHERE clock = %s AND job = %s"
            " AND (status IN ('started', 'failed', 'lost') OR ended_at >= %s)", clock, what, before,
        )  # fmt: skip
        [(effects,)] = fleet.query("SELECT count(*) FROM effect WHERE what = %s", what)
        assert ended > 3
        assert ended <= effects <= ended + later
