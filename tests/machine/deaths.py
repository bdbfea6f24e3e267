"""The ways in which a run can end: a task for each, and what the ledger then has in the slot's row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

TASKS = '''
import atexit
import logging
import os
import signal
import subprocess
import threading
import time
from scheduled_tasks import cron_idempotent, current_run

def well(scheduled_at) -> None:
    """Ends."""
    assert scheduled_at == current_run().scheduled_at

def raises() -> None:
    """Raises, and quotes a password."""
    raise OSError("can't reach postgresql://robot:hunter2@db/shop")

def sends(name: str) -> None:
    """Sends itself a signal."""
    os.kill(os.getpid(), getattr(signal, name))
    time.sleep(60)

def eats() -> None:
    """Uses more memory than its limit."""
    eaten = [bytearray(b"x" * 1_000_000) for _ in range(1000)]

def hangs() -> None:
    """Never ends."""
    time.sleep(600)

def leaves(code: int = 3) -> None:
    """Exits its process so that nothing can catch it."""
    os._exit(code)

def lingers() -> None:
    """Returns, and leaves a thread that never ends."""
    threading.Thread(target=threading.Event().wait).start()

def leaves_late() -> None:
    """Returns, and exits its process while Python ends."""
    atexit.register(os._exit, 3)

def leaves_a_child() -> None:
    """Returns, and leaves a process that only SIGKILL ends."""
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)

LINES = 20_000

def floods(how: str) -> None:
    """Writes as many lines as it can."""
    if how == "logging":
        for number in range(LINES):
            logging.getLogger(__name__).info("%d", number)
    elif how == "print":
        for number in range(LINES):
            print(number)
    elif how == "os.write":
        os.write(2, b"".join(b"%d\\n" % number for number in range(LINES)))
    else:
        subprocess.run(["seq", str(LINES)], check=True)

@cron_idempotent
def again() -> None:
    """Is killed at its first attempt."""
    if current_run().attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
'''
# systemd learns of the OOM killer only from the unified cgroup hierarchy.
UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers").exists()
OOM = ("oom-kill", None, "OOM killer") if UNIFIED else ("signal", None, "killed by SIGKILL")
# job: (its call, status, error_type, exit_code, a part of the message)
Death: TypeAlias = tuple[str, str, str | None, int | None, str]
DEATHS: dict[str, Death] = {
    "ends": ("well, 'cron'", "ended", None, 0, ""),
    "raises": ("raises, 'cron'", "failed", "OSError", 1, "can't reach postgresql://robot:***@db/shop"),
    "terminated": ("sends, 'cron', ['SIGTERM']", "failed", "Stopped", 143, "stopped by SIGTERM"),
    "killed": ("sends, 'cron', ['SIGKILL']", "failed", "signal", None, "killed by SIGKILL"),
    "greedy": ("eats, 'cron'", "failed", *OOM),
    "slow": ("hangs, 'cron'", "failed", "timeout", 143, "it exceeded its time limit"),
    "leaves": ("leaves, 'cron'", "failed", "exit-code", 3, "its process exited with code 3"),
    "lingers": ("lingers, 'cron'", "failed", "timeout", None, "it exceeded its time limit"),
    "leaves_late": ("leaves_late, 'cron'", "failed", "exit-code", 3, "its process exited with code 3"),
    "leaves_a_child": (
        "leaves_a_child, 'cron'", "failed", "timeout", 0,
        "its task ended, and then its service failed: it exceeded its time limit",
    ),
    "has_a_bad_command": (
        "well, 'cron'", "failed", "exit-code", 0,
        "its task ended, and then its service failed: another of its commands",
    ),
    "no_python": ("well, 'cron'", "failed", "exec", 203, "could not execute its command (exit code 203)"),
    "again": ("again, 'cron'", "ended", None, 0, ""),
}  # fmt: skip


def rows_of(
    query: Callable[..., list[tuple[Any, ...]]], job: str, *, since: datetime | None = None, max_lag: int = 120
) -> list[tuple[Any, ...]]:
    """A job's rows in the ledger whose run is over, of slots since an instant; their lag is compared to a maximum."""
    return query(
        "SELECT status, error_type, exit_code, coalesce(error_message, ''), slot_host, trigger, cpu_seconds > 0,"
        " invocation_id IS NOT NULL, lag BETWEEN 0 AND %s, attempt FROM task_run"
        " WHERE job = %s AND status <> 'started'"  # a run by hand has no slot
        " AND coalesce(scheduled_at, 'infinity') >= coalesce(%s::timestamptz, '-infinity')"
        " ORDER BY started_at",
        max_lag, job, since,
    )  # fmt: skip


def check(deaths: Mapping[str, Death], job: str, rows: list[tuple[Any, ...]]) -> None:
    """Assert that the ledger has exactly one row for a job, with the expected values."""
    _, status, error_type, exit_code, message = deaths[job]
    [row] = rows
    assert row[:3] == (status, error_type, exit_code)
    assert message in row[3]
    assert row[4:6] == ("", "timer")
    assert row[7:9] == (True, True)
    assert row[6] or status != "ended"  # systemd knows the CPU time of a killed run only if the kernel counts it
    assert row[9] == {"no_python": 0, "again": 2}.get(job, 1)
