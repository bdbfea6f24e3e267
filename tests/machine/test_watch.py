"""The watch on a booted machine: no job and no person's file stops it, and that it fails is noticed without it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.machine.fleet import ETC, FOLDER, Fleet, two_machines
from tests.machine.project import FAR_HOUR
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.machine.machine import Machine

pytestmark = pytest.mark.xdist_group("watch")  # one machine for all of them

KEY = f"{ETC}/credentials/api_key"
TASKS = '''
import fcntl
import json
import os
import signal
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from fleet.tasks.jobs import leave
from scheduled_tasks import setting

def hides() -> None:
    """Leaves a result in a folder from which only its own user can remove it, and another under a lease."""
    [folder] = [Path(path) for path in os.environ["STATE_DIRECTORY"].split(":") if "/results/" in path]
    now = datetime.now(UTC).isoformat()
    values = {"clock": "shop", "job": "hides", "task": "hostile.hides", "trigger": "manual", "status": "ended",
              "attempt": 1, "duration": 1.5, "started_at": now, "exit_code": 0}
    for name, reason in (("a", "sticky"), ("b", "leased")):
        result = {**values, "run_id": str(uuid.uuid4()), "reason": reason}
        (folder / f"{name}.json").write_text(json.dumps(result))
    folder.chmod(0o1755)
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    with (folder / "b.json").open("r+") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        time.sleep(600)

def tells() -> None:
    """Says which key it has got."""
    leave(setting("api_key"))
'''


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with two_machines("app1") as one:
        root = one.machines["app1"].root
        (root / f"{FOLDER}/fleet/tasks/hostile.py".lstrip("/")).write_text(TASKS)
        configuration = root / f"{ETC}/config.toml".lstrip("/")
        text = configuration.read_text().replace('"database_url"', '"database_url", "api_key"')
        configuration.write_text(f"{text}database_retry_timeout = 1\n")
        (root / KEY.lstrip("/")).write_text("first")
        tasks = ("hides", "fail", "tells")
        jobs = [f"scheduler.add_job({task}, 'cron', [], id='{task}', hour={FAR_HOUR})" for task in tasks]
        one.write(shop="\n".join(["from fleet.tasks.hostile import hides, tells", *jobs]))
        assert one.ask("app1", "apply")["changed"]
        yield one


@pytest.fixture
def machine(fleet: Fleet) -> Machine:
    return fleet.machines["app1"]


def watch(machine: Machine) -> str:
    """Let the watch make a pass; return its result."""
    machine.run("systemctl", "start", "--wait", "clock-watch.service", check=False)
    return machine.run("systemctl", "show", "--value", "--property=Result", "clock-watch.service").stdout.strip()


def said(machine: Machine, text: str) -> int:
    """How many lines of the watch have a text."""
    return sum(text in str(entry["MESSAGE"]) for entry in machine.journal("clock-watch.service"))


def test_a_jobs_sticky_folder_and_lease_stop_neither_the_watch_nor_other_results(
    fleet: Fleet, machine: Machine
) -> None:
    folder = "/var/lib/scheduled-tasks/results/clock-shop-hides"
    fleet.clocks("app1", "run", "shop/hides")
    sticky = ("test", "-k", folder)
    wait_for("the folder to be sticky", lambda: machine.run(*sticky, check=False).returncode == 0)
    recorded = "SELECT reason FROM task_run WHERE job = 'hides' AND reason IS NOT NULL ORDER BY reason"
    for _ in range(2):
        assert watch(machine) == "success"
        assert ("sticky",) in fleet.query(recorded)
    stuck = f"{folder}/a.json: it is recorded, and can't be removed: Operation not permitted"
    wait_for("the line", lambda: said(machine, stuck) == 1)
    assert said(machine, "Traceback") == 0
    machine.run("systemctl", "kill", "--signal=SIGKILL", "clock-shop-hides.service")
    wait_for("both results", lambda: watch(machine) and len(fleet.query(recorded)) == 2)
    findings = {finding["where"]: finding for finding in fleet.ask("app1", "doctor")}
    for name in ("a", "b"):
        path = f"{folder}/{name}.json"
        assert findings[path]["problem"] == "it is recorded, and can't be removed: Operation not permitted"
        assert findings[path]["mend"] == f"rm {path}"
        machine.run("rm", path)
    assert watch(machine) == "success"
    assert not any("results" in finding["where"] for finding in fleet.ask("app1", "doctor"))


def test_whatever_has_a_pauses_name_pauses_and_the_watch_says_so(fleet: Fleet, machine: Machine) -> None:
    machine.run("mkdir", "-p", f"{ETC}/paused/shop.fail")
    machine.run("ln", "-s", "gone", f"{ETC}/paused/shop.hides")
    machine.run("chown", "-h", "54321", f"{ETC}/paused/shop.hides")
    assert watch(machine) == "success"
    active = "SELECT job, paused_by FROM pause WHERE resumed_at IS NULL ORDER BY job"
    assert fleet.query(active) == [("fail", "root"), ("hides", "the user 54321")]
    for job in ("fail", "hides"):
        unit = f"clock-shop-{job}.service"
        machine.run("systemctl", "start", unit)
        assert machine.run("systemctl", "show", "--value", "--property=ConditionResult", unit).stdout == "no\n"
        fleet.clocks("app1", "resume", f"shop/{job}", "--here")
    assert watch(machine) == "success"
    assert fleet.query(active) == []


def test_a_secret_that_was_replaced_by_hand_reaches_the_next_run(fleet: Fleet, machine: Machine) -> None:
    key, told = machine.root / KEY.lstrip("/"), "SELECT what FROM effect ORDER BY at"
    fleet.clocks("app1", "run", "shop/tells", "--wait")
    key.write_text("second")
    fleet.clocks("app1", "run", "shop/tells", "--wait")
    key.rename(key.with_name("old"))
    key.write_text("third")
    assert watch(machine) == "success"
    machine.run("systemctl", "start", "--wait", "clock-shop-tells.service")
    assert fleet.query(told) == [("first",), ("second",), ("third",)]


def test_an_apply_with_another_secret_makes_its_copies_and_then_removes_the_old_ones(
    fleet: Fleet, machine: Machine
) -> None:
    def copies() -> list[str]:
        return machine.run("sh", "-c", "cd /run/scheduled-tasks/secrets && grep -r '' *").stdout.splitlines()

    configuration, key = (machine.root / path.lstrip("/") for path in (f"{ETC}/config.toml", KEY))
    fleet.clocks("app1", "apply")
    text, before = configuration.read_text(), copies()
    configuration.write_text(text.replace('"api_key"', '"api_key", "gone"'))
    refused = fleet.clocks("app1", "apply", check=False)
    assert f"these files must exist: {ETC}/credentials/gone" in refused.stderr
    assert copies() == before
    key.with_name("gone").write_text("found")
    fleet.clocks("app1", "apply")
    assert sorted(line.partition("/")[2] for line in copies()) == [
        f"api_key:{key.read_text()}",
        f"database_url:{fleet.url}",
        "gone:found",
    ]
    configuration.write_text(text)
    fleet.clocks("app1", "apply")
    assert copies() == before


def alerts(machine: Machine) -> list[str]:
    return machine.run("journalctl", "--priority=alert", "--output=cat", "--quiet").stdout.splitlines()


def test_that_the_watch_fails_is_said_once_in_the_journal_and_by_each_command(fleet: Fleet, machine: Machine) -> None:
    assert watch(machine) == "success"
    assert fleet.clocks("app1", "list").stderr == ""
    credential = machine.root / f"{ETC}/credentials/database_url".lstrip("/")
    url = credential.read_text()
    credential.write_text("postgresql://postgres@127.0.0.1:1/postgres")
    assert watch(machine) == "exit-code"
    [alert] = wait_for("the alert", lambda: alerts(machine))
    assert alert.startswith("clock-watch.service failed (exit-code, 75): until it succeeds, nothing accounts")
    line = fleet.clocks("app1", "list").stderr
    assert line.startswith("clocks: the watch of this host last succeeded at ")
    assert line.endswith("clock-watch.service failed (exit-code); see 'clocks doctor'\n")
    assert watch(machine) == "exit-code"
    fleet.clocks("app1", "run", "shop/fail")
    report = "clock-failed@clock-shop-fail.service"
    failed = ("systemctl", "is-failed", "--quiet", report)
    wait_for("the report to fail", lambda: machine.run(*failed, check=False).returncode == 0)
    credential.write_text(url)
    assert watch(machine) == "success"
    assert machine.run(*failed, check=False).returncode == 1
    # The journal may be a moment behind on a busy machine.
    wait_for("the line", lambda: said(machine, "the watch succeeds again") == 1)
    assert alerts(machine) == [alert]
    assert fleet.clocks("app1", "list").stderr == ""


def test_a_watch_that_is_stopped_or_masked_is_noticed(fleet: Fleet, machine: Machine) -> None:
    def noticed(problem: str) -> bool:
        return fleet.clocks("app1", "list").stderr.endswith(f": {problem}; see 'clocks doctor'\n")

    machine.run("systemctl", "stop", "clock-watch.timer")
    assert noticed("clock-watch.timer is inactive")
    machine.run("ln", "-sfn", "/dev/null", "/etc/systemd/system/clock-watch.service")
    machine.run("systemctl", "daemon-reload")
    assert noticed("clock-watch.service is masked")
    machine.run("systemctl", "unmask", "clock-watch.service")
    fleet.clocks("app1", "apply")
    assert watch(machine) == "success"
    assert fleet.clocks("app1", "list").stderr == ""


def test_the_watch_prunes_daily_and_one_host_does_it(fleet: Fleet, machine: Machine) -> None:
    old = (
        "INSERT INTO task_run (run_id, task, host, trigger, status, started_at, ended_at) VALUES"
        " (gen_random_uuid(), 'shop.old', 'app1', 'manual', 'ended', now() - interval '500 days', now())"
    )
    count = "SELECT count(*) FROM task_run WHERE task = 'shop.old'"
    for days, left in ((0.5, 1), (1.5, 0)):
        fleet.query(old)
        fleet.query("UPDATE maintenance SET done_at = now() - %s * interval '1 day' WHERE name = 'prune'", days)
        began = time.time()
        assert watch(machine) == "success"
        assert fleet.query(count) == [(left,)], began


def test_a_removal_leaves_what_the_end_of_a_running_job_needs(fleet: Fleet, machine: Machine) -> None:
    unit = "clock-shop-hides.service"
    machine.run("systemctl", "start", unit)
    fleet.clocks("app1", "remove", "--all")
    override = ("test", "-e", f"/run/systemd/system/{unit}")
    machine.run(*override)
    machine.run("systemctl", "kill", "--signal=SIGKILL", unit)
    wait_for("the end of its override", lambda: machine.run(*override, check=False).returncode == 1)
    ended = ("systemctl", "list-units", "--no-legend", "--state=active,activating,deactivating", unit)
    wait_for("its end", lambda: not machine.run(*ended).stdout)
    fleet.clocks("app1", "remove", "--all")
    assert machine.run("find", "/run/scheduled-tasks", check=False).stdout == ""
