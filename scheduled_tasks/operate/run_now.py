"""Run a job now through its unit, with its user, its limits and its log.

The caller names the service and the slot, and gets the log lines as they come and the exit code that a shell would
report. Needs root, as every start of a service does.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from datetime import datetime

from scheduled_tasks.deploy import credentials, log_entries, start_requests, systemd
from scheduled_tasks.deploy.log_entries import LogEntry
from scheduled_tasks.deploy.start_requests import StartError
from scheduled_tasks.render.names import Places
from scheduled_tasks.run.current import TRACEPARENT, valid_traceparent

POLL_INTERVAL = 0.2  # seconds
PROPERTIES = "LogNamespace,Id,ActiveState,Job,Result,ExecMainCode,ExecMainStatus,InvocationID,ConditionResult,LoadState"
KILLED = {"2", "3"}  # CLD_KILLED, CLD_DUMPED: ExecMainStatus is a signal then
TIMED_OUT = 124  # exit code, that of timeout(1)
NOT_STARTED = 75  # exit code


def run(  # noqa: PLR0913 - the facts of a start
    places: Places,
    unit: str,
    *,
    at: datetime | None = None,
    trigger: str = "manual",
    force: bool = False,
    wait: bool = True,
    say: Callable[[LogEntry], None] = lambda _entry: None,
) -> int:
    """Start a service, wait for its end and return its exit code; without `wait`, return 0 once it has started.

    Raises:
        StartError: it isn't deployed here, is running, or a condition of the unit keeps it from starting.
    """
    [before] = systemd.show(PROPERTIES, unit)
    if before["LoadState"] != "loaded":
        raise StartError(f"{unit} is not deployed on this host: see 'clocks plan'")
    if systemd.is_busy(before):
        raise StartError(f"{unit} is already running, and a service never runs twice: wait, or 'systemctl stop {unit}'")
    credentials.renew(places)
    started_in = valid_traceparent(os.environ.get(TRACEPARENT, ""))
    start_requests.write(places, unit, at=at, trigger=trigger, force=force, traceparent=started_in)
    try:
        start_requests.start([unit], wait=True)
        [started] = systemd.show(PROPERTIES, unit)
        if started["InvocationID"] == before["InvocationID"]:
            raise StartError(f"{unit} was not started: one of its conditions is not met; see 'systemctl status {unit}'")
        return _follow(unit, say) if wait else 0
    finally:
        # Without `wait`, more attempts may follow: the watch removes the request after the last one.
        if wait or not start_requests.busy([unit]):
            start_requests.remove(places, unit)


def _follow(unit: str, say: Callable[[LogEntry], None]) -> int:
    """Show the log lines of all attempts as they come, until the last one has ended; return its exit code."""
    invocations: list[str] = []
    after: list[str] = []
    while True:
        [now] = systemd.show(PROPERTIES, unit)
        over = not systemd.is_busy(now)
        if now["InvocationID"] not in invocations:
            invocations.append(now["InvocationID"])
        for namespace in {"", now.get("LogNamespace", "")} if over else ():
            journal = [f"--namespace={namespace}"] if namespace else []
            subprocess.run(["journalctl", "--sync", *journal], check=False, capture_output=True)
        for entry in log_entries.read(log_entries.of_invocations(*invocations), *after):
            after = [f"--after-cursor={entry.cursor}"]
            say(entry)
        if over:
            return exit_code(now)
        time.sleep(POLL_INTERVAL)


def exit_code(unit: dict[str, str]) -> int:
    """The exit code of a service that has ended: its own, 128+N for a signal, 124 if it exceeded its time limit."""
    if unit["Result"] == "timeout":
        return TIMED_OUT
    status = int(unit["ExecMainStatus"] or 0)
    if unit["ExecMainCode"] in KILLED:
        return 128 + status
    return NOT_STARTED if status == 0 and unit["Result"] != "success" else status
