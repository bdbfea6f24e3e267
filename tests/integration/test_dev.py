"""`clocks dev`: the clocks of a project in the foreground, without systemd, with the runs that it would make."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from scheduled_tasks.cli.dev import OccurrenceTrigger
from scheduled_tasks.schedule import occurrences, read_trigger
from tests.machine.waiting import wait_for

ROOT = Path(__file__).parents[2]
DEADLINE = 240  # seconds; a process that takes longer hangs
TASKS = '''"""Tasks of the project."""

import logging

from scheduled_tasks import log_cron


@log_cron
def tell(text):
    logging.getLogger(__name__).info("%s", text)


@log_cron
def fail():
    raise RuntimeError("on purpose")
'''
CLOCK = '''"""A clock."""

from dev_shop.tasks.telling import fail, tell
from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
{jobs}
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("dev_shop", "dev_shop/tasks", "dev_shop/clocks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "dev_shop/tasks/telling.py").write_text(TASKS)
    table = '[tool.scheduled_tasks]\ndomains = "dev_shop.tasks"\nclocks = "dev_shop.clocks"\n'
    (tmp_path / "pyproject.toml").write_text(table)
    return tmp_path


def write_clock(project: Path, *jobs: str) -> None:
    (project / "dev_shop/clocks/shop.py").write_text(CLOCK.format(jobs="\n".join(jobs)))


def environment(database_url: str) -> dict[str, str]:
    plain = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return plain | {"PYTHONPATH": str(ROOT), "DATABASE_URL": database_url, "PYTHONDONTWRITEBYTECODE": "1"}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "scheduled_tasks.cli", "dev", *arguments]


def test_a_day_is_run_at_once_each_run_with_its_nominal_time(project: Path, database_url: str) -> None:
    write_clock(
        project,
        'scheduler.add_job(tell, "cron", ["night"], id="night", hour=2, minute=30)',
        'scheduler.add_job(tell, "cron", ["noon"], id="noon", hour=12)',
        'scheduler.add_job(tell, "cron", ["often"], id="often", minute="*/10")',
        'scheduler.add_job(tell, "cron", ["paused"], id="paused", hour=3, next_run_time=None)',
    )
    done = subprocess.run(
        command("--at", "2037-03-29T00:00+01:00", "--limit", "1"), cwd=project, env=environment(database_url),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ends = [line for line in map(json.loads, done.stdout.splitlines()) if line.get("status") == "ended"]
    assert [(line["job"], line["scheduled_at"]) for line in ends] == [
        ("often", "2037-03-28T23:00:00Z"),
        ("night", "2037-03-29T01:30:00Z"),  # the gap: 03:30
        ("noon", "2037-03-29T10:00:00Z"),
    ]
    assert not any("lag" in line for line in ends)  # they are slots of the future
    assert "shop/often: left out (--limit): 143 more runs" in done.stderr  # 24 hours have 144 of them, even on that day


def test_a_day_with_a_failed_run_ends_with_1(project: Path, database_url: str) -> None:
    write_clock(project, 'scheduler.add_job(fail, "cron", id="fail", hour=12)')
    done = subprocess.run(
        command("--at", "2027-01-31"), cwd=project, env=environment(database_url), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, "1 run, 1 failed" in done.stderr) == (3, True)


class Dev:
    """A running `clocks dev`, with its log lines one by one."""

    def __init__(self, project: Path, database_url: str) -> None:
        self.errors = project / "stderr"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                command(), cwd=project, env=environment(database_url), stdout=subprocess.PIPE, stderr=errors
            )
        self._unread = b""

    def lines(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        deadline = time.monotonic() + DEADLINE
        while True:
            while b"\n" not in self._unread:
                left = max(0, deadline - time.monotonic())
                ready, _, _ = select.select([self.process.stdout], [], [], left)
                assert ready, f"hangs: {self.errors.read_text()}"
                chunk = os.read(self.process.stdout.fileno(), 1 << 16)
                assert chunk, self.errors.read_text()
                self._unread += chunk
            first, _, self._unread = self._unread.partition(b"\n")
            yield json.loads(first)

    def wait_for(self, message: str, since: str = "") -> None:
        """Wait for a line with this message, written after an instant."""
        next(line for line in self.lines() if line["message"] == message and line["timestamp"] > since)

    def has_printed(self, text: str) -> bool:
        return text in self.errors.read_text()


@pytest.fixture
def dev(project: Path, database_url: str) -> Iterator[Dev]:
    """A `clocks dev` whose one job runs each second."""
    write_clock(project, 'scheduler.add_job(tell, "interval", ["before"], id="first", seconds=1)')
    started = Dev(project, database_url)
    try:
        started.wait_for("before")
        yield started
    finally:
        started.process.kill()
        started.process.wait(DEADLINE)
        assert started.process.stdout is not None
        started.process.stdout.close()


def test_jobs_run_in_the_foreground_and_a_changed_clock_file_is_reloaded(project: Path, dev: Dev) -> None:
    dev.wait_for("before")
    write_clock(project, 'scheduler.add_job(tell, "interval", ["after"], id="second", seconds=1)')
    dev.wait_for("after")
    dev.process.send_signal(signal.SIGINT)
    assert dev.process.wait(DEADLINE) == 0, dev.errors.read_text()


def test_a_clock_file_with_a_fault_leaves_the_old_jobs_running_until_it_is_mended(project: Path, dev: Dev) -> None:
    for fault, message in (
        ("1 / 0", "ZeroDivisionError"),
        ("scheduler.add_job(tell", "'(' was never closed"),
        ('scheduler.add_job(tell, "cron", id="wrong", hour=25)', "hour=25"),
    ):
        write_clock(project, fault)
        wait_for("the fault's message", lambda text=message: dev.has_printed(text), seconds=DEADLINE)  # type: ignore[misc]
        dev.wait_for("before", since=datetime.now(UTC).isoformat())
        assert dev.process.poll() is None
    write_clock(project, 'scheduler.add_job(tell, "interval", ["after"], id="second", seconds=1)')
    dev.wait_for("after")


@pytest.mark.parametrize("fields", [{"hour": "2", "minute": "30"}, {"minute": "*/20"}, {"hour": "0-6", "minute": "15"}])
def test_apscheduler_gets_our_occurrences(fields: dict[str, str]) -> None:
    trigger = read_trigger("cron", fields, timezone="Europe/Paris")
    start = datetime(2027, 3, 27, 12, tzinfo=UTC)
    expected = [occurrence.at for occurrence in islice(occurrences(trigger, after=start), 50)]
    adapted, at = OccurrenceTrigger(trigger), None
    times = []
    for _ in range(50):
        at = adapted.get_next_fire_time(at, (at or start) + timedelta(seconds=1))
        assert at is not None
        times.append(at)
    assert times == expected
