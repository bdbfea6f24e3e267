"""Why systemd started this service: its own account of when the timer elapsed and when the run before was over.

`$TRIGGER_UNIT` doesn't tell: systemd (252 to 261) sets it, and `$TRIGGER_TIMER_…` as of the first time, in every start
after a timer's first one (decision 0007). Imported only by starts that their environment leaves in doubt: it costs a
call of systemctl.
"""

from __future__ import annotations

import os
import re
import subprocess
from datetime import datetime
from typing import NamedTuple

from scheduled_tasks.instants import parse_systemd

SHOWN = "LastTriggerUSec,LastTriggerUSecMonotonic,ActiveExitTimestampMonotonic,InactiveEnterTimestampMonotonic"
ANSWER_SECONDS = 10.0  # that systemd may take in a crowd
STOP_SECONDS = 100.0  # longer than a service takes to stop
# As systemd writes spans of time; see systemd.time(7).
SECONDS = {
    "y": 31_557_600, "month": 2_629_800, "w": 604_800, "d": 86_400, "h": 3600, "min": 60, "s": 1, "ms": 1e-3,
    "us": 1e-6,
}  # fmt: skip


class Cause(NamedTuple):
    """What can have started a service, in seconds of CLOCK_MONOTONIC, which systemd and Python share; 0 for never.

    Attributes:
        elapsed: when its timer elapsed last.
        elapsed_at: the same by the host's clock, as it was then, to the second; None for never.
        over: when the run before this one was over: what happened earlier has not started this one.
    """

    elapsed: float
    elapsed_at: datetime | None
    over: float

    @property
    def is_timer(self) -> bool:
        """Whether the timer elapsed since the run before was over. While a service runs an elapse starts nothing."""
        return bool(self.elapsed) and self.elapsed >= self.over


def ask(service: str, timer: str) -> Cause | None:
    """Asks systemd; None where it doesn't answer, as in a sandbox without its socket."""
    manager = ["--user"] if "MANAGERPID" in os.environ else []  # systemd.exec(5): set by a user's manager alone
    try:
        done = subprocess.run(
            ["systemctl", *manager, "show", f"--property={SHOWN}", "--", timer, service],
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
            timeout=ANSWER_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read(done.stdout) if done.returncode == 0 else None


def read(shown: str) -> Cause | None:
    """Reads what systemctl shows of a timer and its service; None where that is not what it has to be."""
    facts = dict(line.partition("=")[::2] for line in shown.splitlines() if not line.endswith("Monotonic=0"))
    try:
        return Cause(
            _seconds(facts.get("LastTriggerUSecMonotonic", "")),
            parse_systemd(facts.get("LastTriggerUSec", "")),
            _over(
                int(facts.get("ActiveExitTimestampMonotonic", 0)) / 1e6,
                int(facts.get("InactiveEnterTimestampMonotonic", 0)) / 1e6,
            ),
        )
    except (KeyError, ValueError):
        return None


def _over(left: float, ended: float) -> float:
    """When a run was over, by when its service was active and when anything last.

    A timer that elapses while a service stops has it started afterwards. A run that was never active has an older
    run's `left`.
    """
    return left if left and left <= ended < left + STOP_SECONDS else ended


def _seconds(span: str) -> float:
    """A span of time as systemctl shows it (16min 23.915056s)."""
    return sum(float(number) * SECONDS[unit] for number, unit in re.findall(r"([0-9.]+)([a-z]+)", span))
