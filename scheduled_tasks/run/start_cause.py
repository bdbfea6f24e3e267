"""Find out what started this service: systemd records when its timer elapsed and when the previous run ended.

`$TRIGGER_UNIT` isn't enough: after a timer's first start, systemd (252 to 261) sets it, and `$TRIGGER_TIMER_…` with the
values of that first start, for every later start (decision 0007). Imported only for starts whose cause the environment
doesn't tell, because it costs a call of systemctl.
"""

from __future__ import annotations

import os
import re
import subprocess
from datetime import datetime
from typing import NamedTuple

from scheduled_tasks.instants import parse_systemd

PROPERTIES = "LastTriggerUSec,LastTriggerUSecMonotonic,ActiveExitTimestampMonotonic,InactiveEnterTimestampMonotonic"
ANSWER_TIMEOUT = 10.0  # seconds; systemd is slow while many services start
DEFERRED_SECONDS = 30.0  # shorter than any timer's interval that run-task has to know, longer than a busy PID 1 takes
STOP_SECONDS = 100.0  # longer than a service takes to stop
# systemd's units of time; see systemd.time(7).
SECONDS = {
    "y": 31_557_600, "month": 2_629_800, "w": 604_800, "d": 86_400, "h": 3600, "min": 60, "s": 1, "ms": 1e-3,
    "us": 1e-6,
}  # fmt: skip


class StartCause(NamedTuple):
    """What can have started a service, in seconds of CLOCK_MONOTONIC, which systemd and Python share; 0 for never.

    Attributes:
        elapsed: when its timer elapsed last.
        elapsed_at: the same as the host's clock showed it then, to the second; None for never.
        previous_ended: when the previous run ended; nothing earlier started this one.
    """

    elapsed: float
    elapsed_at: datetime | None
    previous_ended: float

    @property
    def is_timer(self) -> bool:
        """Whether the timer has elapsed since the previous run ended; while a service runs, that starts nothing."""
        return bool(self.elapsed) and self.elapsed >= self.previous_ended

    @property
    def was_deferred(self) -> bool:
        """Whether the timer may have elapsed late, because the previous run had to end first."""
        return bool(self.previous_ended) and 0 <= self.elapsed - self.previous_ended < DEFERRED_SECONDS


def ask_systemd(service: str, timer: str) -> StartCause | None:
    """Ask systemd what started a service; None if it doesn't answer, as in a sandbox without its socket."""
    manager = ["--user"] if "MANAGERPID" in os.environ else []  # systemd.exec(5): only a user's manager sets it
    try:
        done = subprocess.run(
            ["systemctl", *manager, "show", f"--property={PROPERTIES}", "--", timer, service],
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
            timeout=ANSWER_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse(done.stdout) if done.returncode == 0 else None


def parse(shown: str) -> StartCause | None:
    """Parse what systemctl shows of a timer and its service; None if it is something else."""
    properties = dict(line.partition("=")[::2] for line in shown.splitlines() if not line.endswith("Monotonic=0"))
    try:
        elapsed = _seconds(properties.get("LastTriggerUSecMonotonic", ""))
        active_exit = int(properties.get("ActiveExitTimestampMonotonic", 0)) / 1e6
        inactive_enter = int(properties.get("InactiveEnterTimestampMonotonic", 0)) / 1e6
        elapsed_at = parse_systemd(properties.get("LastTriggerUSec", ""))
        return StartCause(elapsed, elapsed_at, _ended(active_exit, inactive_enter))
    except (KeyError, ValueError):
        return None


def _ended(active_exit: float, inactive_enter: float) -> float:
    """When a run ended, by when its service was last active and when it last became inactive.

    A timer that elapses while a service stops starts it again afterwards, so a run ends when it begins to stop. For a
    run that never became active, `active_exit` is an older run's.
    """
    return active_exit if active_exit and active_exit <= inactive_enter < active_exit + STOP_SECONDS else inactive_enter


def _seconds(span: str) -> float:
    """A span of time as systemctl shows it (16min 23.915056s)."""
    return sum(float(number) * SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([a-z]+)", span))
