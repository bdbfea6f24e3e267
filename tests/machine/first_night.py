"""The first night: what somebody on call sees on a terminal of 80 columns, from the alarm to the mended job.

Each step is a command with its exit code. A test types them on a machine and compares the screens with
docs/recordings/first-night.txt, which `--write-golden` writes: instants, numbers and ids may differ.
"""

from __future__ import annotations

import re
import sysconfig
from typing import TYPE_CHECKING, NamedTuple

from tests.documented import DOCS
from tests.machine.machine import REPOSITORY, environment
from tests.pseudo_terminal import on_a_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.machine.machine import Machine

RECORDING = DOCS / "recordings/first-night.txt"
COLUMNS = 80
INTRODUCTION = """The first night, as a terminal of 80 columns shows it. The lines that begin with # are comments.
Made by tests/machine/alarms/test_1_commands.py.
"""
PAUSE = 'clocks pause night/report --reason "needs its option, see the incident" --until 6h'
NIGHT = """
from fleet.tasks import alarms
scheduler.add_job(alarms.writes, "cron", ["/srv/reports/today"], id="report", hour={hour}{options})
"""


class Step(NamedTuple):
    """A comment, a command, its exit code, and what happens before it."""

    comment: str
    command: str
    exit_code: int = 0
    before: str = ""


STEPS = (
    Step("The monitor says that `clocks status` exits with 3. What is bad?", "clocks status", 3, "fail"),
    Step("Why? The run's row and its log lines.", "clocks show RUN"),
    Step("It can wait until the morning: nothing is to start it meanwhile.", PAUSE),
    Step("PostgreSQL is being restarted. What does this host know?", "clocks status", 75, "database away"),
    Step("It is back. In the morning the clock file gets the option, and is deployed.", "clocks apply", 0, "mend"),
    Step("The pause ends, and the job runs now.", "clocks resume night/report"),
    Step("", "clocks run night/report --wait"),
    Step("All is well.", "clocks status night"),
)  # fmt: skip


def record(machine: Machine, act: Callable[[str], str]) -> str:
    """Type each step on the machine, and return what the terminal showed.

    Args:
        machine: the machine.
        act: does what comes before a step, and returns the id of the failed run.

    Raises:
        AssertionError: a command exited with another code.
    """
    shown, run = [INTRODUCTION], ""
    for step in STEPS:
        run = act(step.before) or run
        command = step.command.replace("RUN", run[:8])
        seen = on_a_terminal(
            ["nsenter", f"--target={machine.leader}", "--all", "env", "--ignore-environment", "--chdir=/root",
             *environment(), "TERM=dumb", "sh", "-lc", command],
            env={},
            columns=COLUMNS,
        )  # fmt: skip
        assert seen.exit_code == step.exit_code, f"{command} exited {seen.exit_code}:\n{seen.text}"
        if step.comment:
            shown.append(f"# {step.comment}\n")
        lines = [
            line[at : at + COLUMNS].rstrip()
            for line in _without_our_paths(seen.text).splitlines()
            for at in range(0, len(line) or 1, COLUMNS)
        ]
        shown.append("\n".join((f"$ {command}", *lines, "")))
    return "\n".join(shown)


def _without_our_paths(text: str) -> str:
    """A screen with the paths of a deployed host in place of this checkout's."""
    text = text.replace(str(REPOSITORY), "/opt/shop/lib/python3/site-packages")
    return text.replace(sysconfig.get_path("stdlib"), "/usr/lib/python3")


def comparable(recording: str) -> str:
    """A recording without what differs each time, and without white space."""
    text = re.sub(r"(?s)Traceback .*?OSError", "OSError", recording)  # it has lines of our code
    text = re.sub(rf"(?m)^(.{{{COLUMNS}}})\n", r"\1", text)  # a wrapped line, or one that just fits
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b([0-9a-f]{32}|[0-9a-f]{8})\b", "ID", text)
    text = re.sub(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b", "DAY", text)
    text = re.sub(r"(?m)^(JOB .*) WHY$", r"\1", text)  # a column if the instants leave room, otherwise lines below
    text = re.sub(r"\bnow\b|\d[\d.:,-]*", "N", text)
    return re.sub(r"((in)?N(s|min|h|d|MiB|KiB)?(ago)?)+", "N", "".join(text.split()))
