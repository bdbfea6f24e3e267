"""The only client of systemctl: list and show units, start and stop them, and read the timestamps that it prints.

Commands that change something come through `effects`. Only run/start_cause.py calls systemctl on its own: a run may
import neither this package nor what it needs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path

from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.instants import parse_systemd

RUNNING_STATES = ("active", "activating", "reloading", "deactivating")


BOOTED = Path("/run/systemd/system")  # exists if systemd is the init of this machine, sd_booted(3)


class SystemdError(ScheduledTasksError):
    """systemd refused a command."""

    exit_code = 71


class NoSystemdError(SystemdError):
    """This machine does not run systemd (a container?), and so has no timers: do this on a host that does."""


def run(verb: str, *arguments: str, manager: Iterable[str] = ()) -> str:
    """Run systemctl in UTC and return what it printed.

    Args:
        verb: the command of systemctl(1).
        arguments: its options and units.
        manager: the option that names the systemd meant: none for the system's, `--user` for the user's own.

    Raises:
        SystemdError: it failed; with its message.
        NoSystemdError: this machine does not run systemd.
    """
    try:
        done = subprocess.run(
            ["systemctl", *manager, verb, *arguments],
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise NoSystemdError from None
    if done.returncode != 0 and not BOOTED.is_dir():
        raise NoSystemdError
    if done.returncode != 0:
        raise SystemdError(f"systemctl {verb}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def show(properties: str, *units: str, manager: Iterable[str] = ()) -> list[dict[str, str]]:
    """Properties of units, one dictionary per unit; of the manager, without units. A pattern matches loaded units."""
    # Without --all a pattern would match none of the timers that a killed apply had stopped.
    options = ("--all", "--timestamp=us+utc", f"--property={properties}")
    blocks = filter(str.strip, run("show", *options, "--", *units, manager=manager).split("\n\n"))
    return [dict(line.partition("=")[::2] for line in block.splitlines()) for block in blocks]


def list_units(states: Collection[str], *patterns: str, manager: Iterable[str] = ()) -> list[str]:
    """The names of the loaded units in one of some states, or in any, that match a pattern."""
    options = ("--plain", "--no-legend", "--no-pager", f"--state={','.join(states)}" if states else "--all")
    return [line.split()[0] for line in run("list-units", *options, *patterns, manager=manager).splitlines()]


def is_busy(unit: dict[str, str]) -> bool:
    """Whether a service runs or is about to, by its properties ActiveState and Job."""
    return unit["ActiveState"] in RUNNING_STATES or has_job(unit)


def has_job(unit: dict[str, str]) -> bool:
    """Whether systemd still has to start or stop a unit, by its property Job."""
    return unit.get("Job", "0") not in {"", "0"}


def version() -> str:
    """The version of this machine's systemd, such as "257"; "" if it has none."""
    try:
        return run("--version").split()[1]
    except (OSError, SystemdError, IndexError):
        return ""


def timestamp(shown: str) -> float:
    """Parse a timestamp that systemctl prints in UTC into seconds since the epoch; 0 for none."""
    at = parse_systemd(shown)
    return at.timestamp() if at else 0
