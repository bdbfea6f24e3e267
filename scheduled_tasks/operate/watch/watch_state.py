"""Say in one line whether this host's watch works, by what systemd knows of it and by when it last succeeded.

On a single host nothing else notices that the watch fails, is stopped or is masked. So every `clocks` command checks
it here, with one call of systemctl and no database.
"""

from __future__ import annotations

import time
from datetime import timedelta

from scheduled_tasks.instants import from_epoch, shown
from scheduled_tasks.render import names
from scheduled_tasks.render.names import Places

MAX_AGE = timedelta(minutes=5)  # of its last success; other hosts consider this one dead after the same time
SHOWN = "Id,LoadState,ActiveState,ActiveEnterTimestamp,Result"


def record_success(places: Places) -> bool:
    """Record that a pass of the watch has succeeded; return whether it had failed before."""
    places.runtime.mkdir(mode=0o755, parents=True, exist_ok=True)
    places.watch_succeeded.touch()
    had_failed = places.watch_failed.exists()
    places.watch_failed.unlink(missing_ok=True)
    return had_failed


def watch_problem(places: Places) -> str:
    """Say why and since when this host's watch doesn't work, in one line; "" if it works or there is none."""
    if places.home or not places.is_running or not (places.current / names.WATCH_TIMER).exists():
        return ""
    from scheduled_tasks.deploy import systemd  # it needs subprocess, and most machines that run `clocks` have no watch

    try:
        units = {unit["Id"]: unit for unit in systemd.show(SHOWN, names.WATCH_TIMER, names.WATCH)}
    except (OSError, systemd.SystemdError):  # no systemd runs here
        return ""
    succeeded = places.watch_succeeded.stat().st_mtime if places.watch_succeeded.exists() else 0.0
    problem = _problem(units[names.WATCH_TIMER], units[names.WATCH], succeeded, time.time())
    if not problem:
        return ""
    since = f"last succeeded at {shown(from_epoch(succeeded))}" if succeeded else "has not succeeded since the boot"
    return f"the watch of this host {since}, so nothing accounts for its slots: {problem}"


def _problem(timer: dict[str, str], service: dict[str, str], succeeded: float, now: float) -> str:
    from scheduled_tasks.deploy import systemd

    for unit in (timer, service):
        if unit["LoadState"] == "masked":
            return f"{unit['Id']} is masked"
    if timer["ActiveState"] != "active":
        return f"{timer['Id']} is {timer['ActiveState']}"
    if service["Result"] != "success":
        return f"{service['Id']} failed ({service['Result']})"
    if now - max(succeeded, systemd.timestamp(timer["ActiveEnterTimestamp"])) > MAX_AGE.total_seconds():
        return f"{service['Id']} does not finish"
    return ""
