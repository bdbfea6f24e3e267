"""The machine of the handbook as its operator uses it, with a project whose jobs raise each alarm."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduled_tasks.operate.on_call import handbook
from tests.machine.fleet import ETC, FOLDER, Fleet
from tests.machine.handbook import placed, typed
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

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
EXIT_CODES |= {
    "systemctl status clock-watch.timer": {3},
    "clocks status CLOCK": {0, 3},
    "clocks notify test": {75},
    "clocks incidents --open": {3},
}
HOUR = (datetime.now(UTC) - timedelta(hours=3)).hour
ROWS = {alarm.sees: alarm.do for alarm in handbook.ALARMS}  # as the page has them: tests/unit/operate/test_handbook.py


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


def slots_of(host: Host, job: str) -> list[str]:
    """The slots of some days before yesterday that no host has run."""
    first, last = (datetime.now(UTC) - timedelta(days=days) for days in (5, 3))
    span = f"--from {first:%Y-%m-%d} --to {last:%Y-%m-%d}"
    listed = json.loads(host.shell(f"clocks backfill alarms/{job} --dry-run --json {span}").stdout)
    return [slot.replace(" ", "T") for slot in listed["slots"]]


def incidents(host: Host) -> set[tuple[str, str | None]]:
    """The kind and the job of each open incident, after a look of the watch."""
    host.query("DELETE FROM maintenance WHERE name = 'judge'")  # another look may have judged a moment ago
    host.shell("clocks watch")
    return {(kind, job) for kind, job in host.query("SELECT kind, job FROM incident WHERE closed_at IS NULL")}


def end_line(lines: str) -> str:
    """A run's own last line; systemd's may follow it."""
    return [line for line in lines.splitlines() if '"status"' in line][-1]


@contextmanager
def another_database(host: Host, url: str) -> Iterator[None]:
    """A host whose credential names another database."""
    own = (host.machine.root / URL.lstrip("/")).read_text()
    host.write(URL, url or own.rpartition("/")[0] + "/fresh")
    try:
        yield
    finally:
        host.write(URL, own)
        host.shell("clocks apply")  # its watch, too, reads it at once
        runs = "systemctl is-active --quiet clock-watch.service"  # it may have begun with the other database
        wait_for("the end of its watch", lambda: host.shell(runs, check=False).returncode != 0)
