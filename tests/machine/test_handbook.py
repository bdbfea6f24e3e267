"""The handbook on a booted machine: its commands run in order, and each alarm in its table is raised and mended.

Each alarm is raised for real, and the commands in the last column of its row are run as they are written there.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduled_tasks.new_project import EXAMPLE_TASK, FEATURES
from tests.documented import PAGES, commands
from tests.machine import first_night
from tests.machine.fleet import CONFIG, ETC, FOLDER, Fleet, two_machines
from tests.machine.handbook import EDITOR, EDITOR_SCRIPT, placed, typed
from tests.machine.waiting import wait_for

pytestmark = pytest.mark.xdist_group("handbook")  # one machine for all of them

HOST = "app1"
AGENT = "agent"  # of monitoring
MODULE = f"{FOLDER}/fleet/tasks/alarms.py"
URL = f"{ETC}/credentials/database_url"
TASKS = '''
import os
import time
from pathlib import Path

from scheduled_tasks import cron_idempotent, cron_require_feature, log_cron
from fleet.features import FeatureToggle


@log_cron
@cron_require_feature(FeatureToggle.ALARM)
def fails():
    """Raises."""
    raise OSError("the disk is full")


@cron_idempotent
@log_cron
def again():
    """Raises each time."""
    raise OSError("the disk is full")


@log_cron
def takes(seconds=0, megabytes=0):
    """Takes time and memory."""
    held = b"x" * (megabytes * 1_000_000)
    time.sleep(seconds)


@log_cron
def writes(path):
    """Writes 100 kB."""
    Path(path).write_bytes(bytes(100_000))


@log_cron
def leaves():
    """Ends as a crash does."""
    os._exit(3)


@log_cron
def lasts():
    """Runs as long as a file is there."""
    while Path("/srv/stay").exists():
        time.sleep(0.1)
'''
GONE = '''

@log_cron
def goes():
    """Is taken out of the code."""
'''
# No timer starts a job during the tests: each is due once a day at another hour, or only in the year 2100.
JOBS = """
from fleet.tasks import alarms
from scheduled_tasks.bundled import command

scheduler.add_job(alarms.fails, "cron", id="fails", year=2100)
scheduler.add_job(alarms.goes, "cron", id="goes", year=2100)
scheduler.add_job(alarms.again, "cron", id="again", year=2100, retries=1, retry_delay=1)
scheduler.add_job(alarms.takes, "cron", [{seconds}], id="slow", year=2100, timeout={timeout})
scheduler.add_job(alarms.takes, "cron", kwargs={{"megabytes": 300}}, id="greedy", year=2100, memory_max="120M")
scheduler.add_job(alarms.leaves, "cron", id="leaves", year=2100)
scheduler.add_job(alarms.takes, "cron", id="daily", hour={hour})
scheduler.add_job(alarms.takes, "cron", id="late", hour={hour}, misfire_grace_time=60)
scheduler.add_job(alarms.lasts, "cron", id="lasts", hour={hour})
scheduler.add_job(command.run, "cron", [["/bin/sh", "-c", "exit 5"]], id="command", year=2100)
"""
# What a job of the sandbox is denied.
JOBS += 'scheduler.add_job(alarms.writes, "cron", ["/srv/report"], id="writes", year=2100)\n'
JOBS += 'scheduler.add_job(alarms.writes, "cron", ["/srv/full/report"], id="fills", year=2100'
JOBS += ', read_write_paths=["/srv/full"])\n'
EXAMPLE = 'from fleet.tasks.example import say_hello\nscheduler.add_job(say_hello, "cron", id="say_hello", hour=6)\n'
WRAPPER = "#!/bin/sh\nexport SCHEDULED_TASKS_CONFIG={etc}/config.toml CREDENTIALS_DIRECTORY={etc}/credentials\n"
# The doctor always finds something on a test's machine (its clock, its journal); the others exit non-zero by design.
EXIT_CODES = {"clocks plan": {2}, "clocks doctor": {3}, "systemctl status UNIT": {0, 3}, "clocks status --bad": {0, 3}}
EXIT_CODES["systemctl status clock-watch.timer"] = {3}
HOUR = (datetime.now(UTC) - timedelta(hours=3)).hour
ROWS = {
    cells[0]: cells[2]
    for line in re.findall(r"^\| (.+) \|$", PAGES["how-to/operate.md"].split("| you see |")[1], re.MULTILINE)
    if len(cells := [cell.strip() for cell in line.split("|")]) == 3 and not cells[0].startswith("-")
}


class Host:
    """The machine, as its operator uses it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.machine = fleet.machines[HOST]
        self.query = fleet.query

    def shell(self, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command line."""
        return self.machine.run("sh", "-c", typed(command), check=check)

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        file = self.machine.root / path.lstrip("/")
        file.write_text(text)
        file.chmod(0o755 if "/bin/" in path else 0o644)

    def deploy(self, *, seconds: int = 20, timeout: int = 2, hour: int = HOUR) -> None:
        """Apply both clocks."""
        self.fleet.write(example=EXAMPLE, alarms=JOBS.format(seconds=seconds, timeout=timeout, hour=hour))
        self.shell("clocks apply")

    def run(self, job: str, *options: str) -> tuple[int, str]:
        """Run a job's unit to its end; return its exit code and its log lines."""
        done = self.shell(f"clocks run alarms/{job} --wait {' '.join(options)}", check=False)
        return done.returncode, done.stdout + done.stderr

    def rows(self, job: str) -> list[tuple[Any, ...]]:
        """A job's rows in the ledger, newest first."""
        columns = "status, coalesce(error_type, ''), coalesce(reason, ''), run_id::text, scheduled_at"
        return self.query(f"SELECT {columns} FROM task_run WHERE job = %s ORDER BY started_at DESC NULLS LAST", job)

    def do(self, row: str, job: str = "say_hello", **names: str) -> list[str]:
        """Run the commands in a row's last column for a job; return what each printed."""
        printed = []
        for command in re.findall(r"`([^`]+)`", ROWS[row]):
            if command.split()[0] in {"clocks", "systemctl", "journalctl"}:
                done = self.shell(placed(command, "alarms", job, **names), check=command not in EXIT_CODES)
                printed.append(done.stdout + done.stderr)
        return printed


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with two_machines(HOST) as fleet:
        one = Host(fleet)
        config = CONFIG.replace('timezone = "UTC"', 'timezone = "Europe/Paris"')
        more = 'features = "fleet.features:FeatureToggle"\ndatabase_retry_timeout = 2\n'
        more += f'monitors_role = "{AGENT}"\n'
        one.write(f"{ETC}/config.toml", config + more)
        one.write(f"{FOLDER}/fleet/features.py", FEATURES + '    ALARM = Feature("Runs what fails")\n')
        one.write(f"{FOLDER}/fleet/tasks/example.py", EXAMPLE_TASK.format(package="fleet"))
        one.write(MODULE, TASKS + GONE)
        one.write(EDITOR, EDITOR_SCRIPT)
        one.shell(f"install -d -m 1777 /srv/full; useradd --system {AGENT}; chmod 0700 {ETC}/credentials")
        one.query(f"CREATE ROLE {AGENT} LOGIN")
        for name in ("clocks", "run-task"):
            one.write(f"/usr/local/bin/{name}", WRAPPER.format(etc=ETC) + f'exec {FOLDER}/bin/{name} "$@"\n')
        one.shell("clocks features sync")
        fleet.write(example=EXAMPLE)
        yield one


def test_the_first_night_is_as_its_recording_shows(host: Host, request: pytest.FixtureRequest) -> None:
    own = host.shell(f"cat {URL}").stdout

    def act(before: str) -> str:
        if before == "fail":
            host.fleet.write(example=EXAMPLE, night=first_night.NIGHT.format(hour=HOUR, options=""))
            host.shell("mkdir --mode=1777 /srv/reports; clocks apply")
            assert host.shell("clocks run night/report --wait", check=False).returncode == 1
            return str(host.rows("report")[0][3])
        if before == "database away":
            host.write(URL, "postgresql://shop@127.0.0.1:1/shop")
        if before == "mend":
            host.write(URL, own)
            options = ', read_write_paths=["/srv/reports"]'
            host.fleet.write(example=EXAMPLE, night=first_night.NIGHT.format(hour=HOUR, options=options))
        return ""

    try:
        recorded = first_night.record(host.machine, act)
    finally:
        host.write(URL, own)
        host.fleet.write(example=EXAMPLE)
        host.shell("rm /etc/scheduled-tasks/paused/*; clocks apply", check=False)
    if request.config.getoption("write_golden"):
        first_night.RECORDING.parent.mkdir(exist_ok=True)
        first_night.RECORDING.write_text(recorded)
    assert first_night.comparable(recorded) == first_night.comparable(first_night.RECORDING.read_text())


@pytest.fixture(scope="module")
def alarmed(host: Host) -> Host:
    """The same with the clock whose jobs raise alarms."""
    host.deploy()
    return host


def test_the_handbooks_commands_run_in_their_order(host: Host) -> None:
    names = {
        "TASK": "example.say_hello",
        "FLAG": "EXAMPLE",
        "SLOT": "2026-11-21T05:00Z",
        "FROM": "2026-11-19",
        "TO": "2026-11-20",
        "AGENT": AGENT,
    }
    names["MONITORS_URL"] = host.shell(f"cat {URL}").stdout.replace("//postgres@", f"//{AGENT}@")
    for command in commands("how-to/operate.md", "machine"):
        if by_the_unit := [run for *_, run, at in host.rows("say_hello") if at]:
            names["RUN"] = by_the_unit[0]
        done = host.shell(placed(command, "example", "say_hello", **names), check=False)
        assert done.returncode in EXIT_CODES.get(command, {0}), f"{command}: {done}"
    refused = host.shell(f"runuser -u {AGENT} -- clocks status", check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (77, 1), refused
    slots = [row[4].isoformat() for row in host.rows("say_hello") if row[4] and row[0] == "ended"]
    assert sorted(slots) == ["2026-11-19T05:00:00+00:00", "2026-11-21T05:00:00+00:00"]
    shown = host.shell("systemctl show clock-example-say_hello.service --property=MemoryMax").stdout
    assert shown == "MemoryMax=1073741824\n"
    host.shell("systemctl revert clock-example-say_hello.service")


def slots_of(host: Host, job: str) -> list[str]:
    """The slots of some days before yesterday that no host has run."""
    first, last = (datetime.now(UTC) - timedelta(days=days) for days in (5, 3))
    span = f"--from {first:%Y-%m-%d} --to {last:%Y-%m-%d}"
    listed = json.loads(host.shell(f"clocks backfill alarms/{job} --dry-run --json {span}").stdout)
    return [slot.replace(" ", "T") for slot in listed["slots"]]


def end_line(lines: str) -> str:
    """A run's own last line; systemd's may follow it."""
    return [line for line in lines.splitlines() if '"status"' in line][-1]


def a_failed_unit(host: Host, row: str) -> None:
    host.run("fails")
    assert host.shell("systemctl is-failed clock-alarms-fails.service").stdout == "failed\n"
    [log, _] = host.do(row, "fails")
    assert "the disk is full" in log
    assert host.shell("systemctl is-failed clock-alarms-fails.service", check=False).stdout == "inactive\n"


def exit_code_1(host: Host, row: str) -> None:
    code, lines = host.run("fails")
    assert (code, '"exception"' in end_line(lines)) == (1, True), lines
    host.shell('clocks features disable ALARM --reason "the disk is full"')
    code, lines = host.run("fails")
    assert (code, "is not active" in lines) == (0, True)
    host.shell("clocks features enable ALARM")


def exit_code_64(host: Host, row: str) -> None:
    host.write(MODULE, TASKS)
    assert host.run("goes")[0] == 64
    with pytest.raises(AssertionError, match="goes"):
        host.do(row)
    host.write(MODULE, TASKS + GONE)  # the previous release
    host.do(row)
    assert host.run("goes")[0] == 0


def likely_the_sandbox(host: Host, row: str) -> None:
    code, lines = host.run("writes")
    advice = "likely the sandbox, ProtectSystem=strict: write read_write_paths=['/srv']"
    assert (code, advice in end_line(lines)) == (1, True), lines
    [(_, error_type, reason, *_)] = host.rows("writes")
    assert (error_type, reason) == ("OSError", reason)
    assert advice in host.query("SELECT error_message FROM task_run WHERE job = 'writes'")[0][0]


def no_space_left(host: Host, row: str) -> None:
    host.shell("mount -t tmpfs -o size=64k,mode=1777 tmpfs /srv/full")
    code, lines = host.run("fills")
    assert (code, "No space left on device" in end_line(lines)) == (1, True), lines
    host.shell("umount /srv/full")
    host.do(row, "fills")
    assert host.rows("fills")[0][0] == "ended"


def postgresql_unreachable(host: Host, row: str) -> None:
    host.run("leaves")  # a failure that systemd knows
    with another_database(host, "postgresql://shop@127.0.0.1:1/shop"):
        away = host.shell("clocks status", check=False)
        assert (away.returncode, "PostgreSQL is unreachable" in away.stderr) == (75, True), away
        listed = {line.split()[0]: line for line in away.stdout.splitlines() if line.startswith("alarms/")}
        assert "failed: exit-code 3" in listed["alarms/leaves"]
        assert "not run since the boot" in listed["alarms/late"]
        assert listed["alarms/daily"].endswith("Z")  # its next run
        assert "missing without PostgreSQL: results in the ledger" in away.stdout
        answer = json.loads(host.shell("clocks status alarms --json", check=False).stdout)
        assert (answer["healthy"], "unreachable" in answer["error"]["message"]) == (False, True)
        assert {job["job"] for job in answer["jobs_here"] if job["bad"]} >= {"leaves"}
    host.do(row)


def the_failure_service_failed(host: Host, row: str) -> None:
    with another_database(host, "postgresql://shop@127.0.0.1:1/shop"):
        host.run("command")
        service = "clock-failed@clock-alarms-command.service"
        wait_for("its failure", lambda: host.shell(f"systemctl is-failed {service}", check=False).returncode == 0)
    host.do(row)
    assert host.shell(f"systemctl is-failed {service}", check=False).returncode != 0


def a_deploy_failed(host: Host, row: str) -> None:
    before = host.shell("readlink /etc/scheduled-tasks/units/current").stdout
    with pytest.raises(AssertionError, match="hour"):
        host.deploy(hour=25)
    assert host.shell("readlink /etc/scheduled-tasks/units/current").stdout == before
    with pytest.raises(AssertionError, match="hour"):
        host.do(row)
    host.deploy()


def a_credential_to_rotate(host: Host, row: str) -> None:
    host.query("CREATE ROLE second LOGIN SUPERUSER")
    with another_database(host, host.fleet.url.replace("//postgres@", "//second@")):
        assert host.run("daily", f"--at {slots_of(host, 'daily')[0]}")[0] == 0
    host.query("DROP ROLE second")


def exit_code_69(host: Host, row: str) -> None:
    code, lines = host.run("again")
    assert (code, lines.count("the disk is full") > 1) == (69, True)


@contextmanager
def another_database(host: Host, url: str) -> Iterator[None]:
    """A host whose credential names another database."""
    own = (host.machine.root / URL.lstrip("/")).read_text()
    host.write(URL, url or own.rpartition("/")[0] + "/fresh")
    try:
        yield
    finally:
        host.write(URL, own)
        runs = "systemctl is-active --quiet clock-watch.service"  # it may have begun with the other database
        wait_for("the end of its watch", lambda: host.shell(runs, check=False).returncode != 0)


def exit_code_75(host: Host, row: str) -> None:
    slot = slots_of(host, "daily")[0]
    with another_database(host, "postgresql://shop@127.0.0.1:1/shop"):
        assert host.run("daily", f"--at {slot}")[0] == 75
    host.do(row, "daily", FROM=slot, TO=slot)
    assert host.rows("daily")[0][0] == "ended"


def exit_code_78(host: Host, row: str) -> None:
    slot = slots_of(host, "daily")[0]
    host.query("CREATE DATABASE fresh")
    with another_database(host, ""):
        assert host.run("daily", f"--at {slot}")[0] == 78
        host.do(row)
        assert host.run("daily", f"--at {slot}")[0] == 0


def exit_code_143(host: Host, row: str) -> None:
    code, _ = host.run("slow")
    assert code != 0
    assert "stopped by SIGTERM" in host.do(row, "slow")[0]
    wait_for("the recorded failure", lambda: host.rows("slow")[0][1] == "timeout")
    host.deploy(seconds=2, timeout=10)
    assert host.run("slow")[0] == 0


def exit_code_137(host: Host, row: str) -> None:
    assert host.run("greedy")[0] != 0
    # Without unified cgroups the kernel does not report the reason to systemd.
    wait_for("the recorded failure", lambda: host.rows("greedy")[0][1] in {"oom-kill", "signal"})
    [edit] = [command for command in commands("how-to/operate.md", "machine") if "edit" in command]
    host.shell(placed(edit, "alarms", "greedy"))
    assert host.run("greedy")[0] == 0


def another_exit_code(host: Host, row: str) -> None:
    assert host.run("command")[0] == 5


def signal_or_exec(host: Host, row: str) -> None:
    host.run("leaves")
    wait_for("the row's end", lambda: host.rows("leaves")[0][0] == "failed")
    shown, status = host.do(row, "leaves", RUN=host.rows("leaves")[0][3])
    assert "its process exited with code 3" in shown
    assert "clock-alarms-leaves.service" in status


def missed(host: Host, row: str) -> None:
    # It was due for two days, and its host was down.
    host.query("UPDATE deployed_job SET valid_from = now() - interval '2 days' WHERE job = 'daily'")
    heartbeats = "heartbeat_at = now(), heartbeats_since = now() - interval '1 hour'"  # its watch runs again
    host.query(f"UPDATE host SET accounted_until = now() - interval '2 days', {heartbeats}")
    host.shell("clocks watch")
    slots = [at for status, _, _, _, at in host.rows("daily") if status == "missed"]
    assert slots
    host.do(row, "daily", FROM=f"{min(slots):%Y-%m-%dT%H:%MZ}", TO=f"{max(slots):%Y-%m-%dT%H:%MZ}")
    assert "missed" not in [status for status, *_ in host.rows("daily")]


def lost(host: Host, row: str) -> None:
    slot = slots_of(host, "lasts")[0]
    host.write("/srv/stay", "")
    host.shell(f"clocks run alarms/lasts --at {slot}")
    wait_for("its row", lambda: host.rows("lasts"))
    # What a reboot leaves: a row of this host by an invocation that systemd doesn't know as running.
    host.query("UPDATE task_run SET invocation_id = gen_random_uuid() WHERE job = 'lasts'")
    host.shell("clocks reconcile")
    assert host.rows("lasts")[0][0] == "lost"
    host.shell("systemctl kill --signal=SIGKILL clock-alarms-lasts.service; rm /srv/stay")
    idle = "systemctl is-active clock-alarms-lasts.service clock-failed@clock-alarms-lasts.service"
    wait_for("its end", lambda: "activ" not in host.shell(idle, check=False).stdout.replace("inactive", ""))
    host.do(row, "lasts", SLOT=slot)
    wait_for("the slot's run", lambda: host.rows("lasts")[0][0] == "ended")


def no_watch(host: Host, row: str) -> None:
    host.shell("systemctl stop clock-watch.timer")
    assert "the watch of this host" in host.shell("clocks status", check=False).stderr
    assert "clock-watch.timer is inactive" in host.do(row)[0]
    host.shell("systemctl start clock-watch.timer; systemctl start --wait clock-watch.service")
    assert "the watch of this host" not in host.shell("clocks status", check=False).stderr


def a_host_is_gone(host: Host, row: str) -> None:
    host.query("INSERT INTO host (name, heartbeat_at) VALUES ('app9', now() - interval '1 day')")
    host.query(
        "INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)"
        " SELECT 'app9', clock, job, task, schedule, options, now() FROM deployed_job"
        " WHERE job = 'daily' AND valid_until IS NULL"
    )
    assert "no heartbeat from app9" in host.shell("clocks status --bad", check=False).stdout
    assert "forgot app9" in host.do(row, HOST="app9")[0]
    assert "app9" not in host.shell("clocks status --bad", check=False).stdout


def another_machine(host: Host, row: str) -> None:
    host.shell("systemctl stop clock-watch.timer")  # it would run the watch within a minute
    host.query("UPDATE host SET machine_id = gen_random_uuid(), heartbeat_at = now() - interval '1 hour'")
    refused = host.shell("clocks watch", check=False)
    assert (refused.returncode, "belongs to another machine" in refused.stderr) == (78, True), refused
    host.do(row, HOST=HOST)
    host.shell("systemctl start clock-watch.timer; systemctl start --wait clock-watch.service")


def no_heartbeat(host: Host, row: str) -> None:
    host.shell("systemctl stop clock-watch.timer")  # it would run the watch within a minute
    host.query("UPDATE host SET heartbeat_at = now() - interval '10 minutes'")
    status = host.shell("clocks status --bad", check=False)
    assert (status.returncode, "no heartbeat from" in status.stdout) == (3, True)
    assert "inactive (dead)" in host.do(row)[0]
    host.shell("systemctl start clock-watch.timer; systemctl start --wait clock-watch.service")
    assert "no heartbeat from" not in host.shell("clocks status --bad", check=False).stdout


def skipped_paused(host: Host, row: str) -> None:
    host.deploy(seconds=0, timeout=60)  # on a busy machine even a run that is skipped takes two seconds
    host.shell('clocks pause alarms/slow --reason "counting"')
    host.shell("systemctl start --wait clock-alarms-slow.service")
    assert host.rows("slow")[0][0] == "skipped"
    assert "counting" in host.rows("slow")[0][2]
    host.do(row, "slow")
    host.run("slow")
    assert host.rows("slow")[0][0] != "skipped"


def skipped_feature(host: Host, row: str) -> None:
    host.shell('clocks features disable ALARM --reason "counting"')
    host.run("fails")
    assert host.rows("fails")[0][2] == "feature ALARM is not active"
    assert "root" in host.do(row)[0]
    host.shell("clocks features enable ALARM")


def skipped_late(host: Host, row: str) -> None:
    host.shell("touch --date='3 days ago' /var/lib/systemd/timers/stamp-clock-alarms-late.timer")
    host.shell("systemctl restart clock-alarms-late.timer")
    wait_for("its row", lambda: host.rows("late"))
    wait_for("its reason", lambda: "it may start at most 60 s late" in host.rows("late")[0][2])
    assert host.rows("late")[0][0] == "skipped"


def nothing_at_its_time(host: Host, row: str) -> None:
    host.shell("systemctl stop clock-alarms.target clock-alarms-daily.timer")
    doctor, _ = host.do(row)
    assert "clock-alarms-daily.timer: not started" in doctor
    assert host.shell("systemctl is-active clock-alarms-daily.timer").stdout == "active\n"


def an_interrupted_apply(host: Host, row: str) -> None:
    record = '{"timers": {}, "pending": []}'
    host.shell("systemctl stop clock-watch.timer clock-watch.service")  # it would finish the apply first
    host.shell(f"mkdir -p /run/scheduled-tasks; echo '{record}' >/run/scheduled-tasks/stopped-timers.json")
    assert "an apply did not finish" in host.shell("clocks doctor", check=False).stdout
    host.do(row)
    host.shell("systemctl start clock-watch.timer")
    assert "an apply did not finish" not in host.shell("clocks doctor", check=False).stdout


def a_bad_release(host: Host, row: str) -> None:
    timer = "systemctl cat clock-alarms-daily.timer | grep OnCalendar"
    before = host.shell(timer).stdout
    host.deploy(hour=(HOUR + 1) % 24)
    assert host.shell(timer).stdout != before
    host.do(row)
    assert host.shell(timer).stdout == before


ALARMS: dict[str, Callable[[Host, str], None]] = {
    "a unit `clock-….service` failed": a_failed_unit,
    "exit code 1 in its last line": exit_code_1,
    "exit code 64": exit_code_64,
    "`likely the sandbox, …` in its reason": likely_the_sandbox,
    "`No space left on device`": no_space_left,
    "exit code 69": exit_code_69,
    "`PostgreSQL is unreachable`": postgresql_unreachable,
    "exit code 75": exit_code_75,
    "exit code 78": exit_code_78,
    "exit code 143, or `stopped by SIGTERM`": exit_code_143,
    "exit code 137, `oom-kill`": exit_code_137,
    "a line with another exit code": another_exit_code,
    "`failed`, `signal` or `exec` in its row": signal_or_exec,
    "`missed`": missed,
    "`lost`": lost,
    "a unit `clock-failed@….service` failed": the_failure_service_failed,
    "`the watch of this host last succeeded at …`, or `clock-watch.service` failed": no_watch,
    "`no heartbeat from HOST`, or a host died": no_heartbeat,
    "a host no longer exists, or was reinstalled": a_host_is_gone,
    "`the name HOST belongs to another machine`": another_machine,
    "`skipped`, `paused: …`": skipped_paused,
    "`skipped`, `feature … is not active`": skipped_feature,
    "`skipped`, `… it may start at most … late`": skipped_late,
    "nothing at all at its time": nothing_at_its_time,
    "a deploy ended with an error": a_deploy_failed,
    "an apply was interrupted": an_interrupted_apply,
    "a credential leaked, or expires": a_credential_to_rotate,
    "the new release is bad": a_bad_release,
}


def test_each_row_of_the_table_is_tried() -> None:
    assert list(ROWS) == list(ALARMS)


@pytest.mark.parametrize("row", ALARMS)
def test_an_alarm_is_raised_and_mended_by_the_commands_in_its_row(alarmed: Host, row: str) -> None:
    ALARMS[row](alarmed, row)
