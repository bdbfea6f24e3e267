"""Running a job now, through its very unit: with its user, its limits, its log.

In comes a service and for which slot it is to run; out come its log lines as they come, and its exit code as a shell
would say it. Needs root, as every start of a service does.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from datetime import datetime

from scheduled_tasks.deploy import start_requests, systemd
from scheduled_tasks.deploy.start_requests import StartError
from scheduled_tasks.render.names import Places

LOOKS = 0.2  # seconds from look to look while a run goes on
SHOWN = "LogNamespace,Id,ActiveState,Job,Result,ExecMainCode,ExecMainStatus,InvocationID,ConditionResult,LoadState"
KILLED = {"2", "3"}  # CLD_KILLED, CLD_DUMPED: ExecMainStatus is a signal then
TIMED_OUT = 124  # as timeout(1) says it
NOT_STARTED = 75


def run(  # noqa: PLR0913 - what is asked of a start
    places: Places,
    unit: str,
    *,
    at: datetime | None = None,
    trigger: str = "manual",
    force: bool = False,
    wait: bool = True,
    say: Callable[[str], None] = lambda _line: None,
) -> int:
    """Starts a service; waits for its end and returns its exit code, or 0 once it has begun.

    Raises:
        StartError: it isn't deployed here, runs already, or a condition of the unit keeps it from starting.
    """
    [before] = systemd.show(SHOWN, unit)
    if before["LoadState"] != "loaded":
        raise StartError(f"{unit} is not deployed on this host: see 'clocks plan'")
    if systemd.is_busy(before):
        raise StartError(f"{unit} runs already, and a service never runs twice: wait, or 'systemctl stop {unit}'")
    start_requests.write(places, unit, at=at, trigger=trigger, force=force)
    try:
        start_requests.start([unit], wait=True)
        [begun] = systemd.show(SHOWN, unit)
        if begun["InvocationID"] == before["InvocationID"]:
            raise StartError(f"{unit} was not started: a condition of it does not hold; see 'systemctl status {unit}'")
        return _follow(unit, say) if wait else 0
    finally:
        # Not waited for, its attempts may still be to come: the host's watch removes the file when they are over.
        if wait or not start_requests.busy([unit]):
            start_requests.remove(places, unit)


def _follow(unit: str, say: Callable[[str], None]) -> int:
    """Says the lines of all attempts as they come, until the last one has ended."""
    cursors: dict[str, str] = {}
    while True:
        [now] = systemd.show(SHOWN, unit)
        over = not systemd.is_busy(now)
        if over:
            of_it = [f"--namespace={now['LogNamespace']}"] if now.get("LogNamespace") else []
            subprocess.run(["journalctl", "--sync", *of_it], check=False, capture_output=True)
        _say_lines(now["InvocationID"], cursors, say)
        if over:
            return exit_code(now)
        time.sleep(LOOKS)


def _say_lines(invocation: str, cursors: dict[str, str], say: Callable[[str], None]) -> None:
    after = [f"--after-cursor={cursors[invocation]}"] if invocation in cursors else []
    for entry in journal(invocation, *after):
        cursors[invocation] = entry["__CURSOR"]
        say(entry["MESSAGE"])


def journal(invocation: str, *options: str) -> list[dict[str, str]]:
    """What the processes of one invocation of a service printed, oldest first."""
    match = f"_SYSTEMD_INVOCATION_ID={invocation.replace('-', '')}"
    # A clock may have a journal of its own (log_namespace).
    command = ["journalctl", "--namespace=*", "--output=json", "--all", "--no-pager", "--quiet", *options, match]
    printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    entries = [json.loads(line) for line in printed.splitlines()]
    return [entry for entry in entries if isinstance(entry.get("MESSAGE"), str)]


def exit_code(unit: dict[str, str]) -> int:
    """A service's end as an exit code: its own, 128+N for a signal, 124 where its time was over."""
    if unit["Result"] == "timeout":
        return TIMED_OUT
    status = int(unit["ExecMainStatus"] or 0)
    if unit["ExecMainCode"] in KILLED:
        return 128 + status
    if status == 0 and unit["Result"] != "success":
        return NOT_STARTED
    return status
