"""Starting a job's very unit for a slot: what is asked of its next start stands in a file that the unit reads.

The file is an EnvironmentFile= of every service (units/all-services.conf.j2): which slot run-task is to run, for whom,
and whether a pause is to count. It is for one start: run-task takes no note of it in those after (run/slot.py). It
needs root, as every start of a service does.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime

from scheduled_tasks.deploy.machine_state import show
from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.render.names import WATCH, Places
from scheduled_tasks.run import start_request

FORCED = ".forced"
VALID_SECONDS = 600  # a start that waits for its turn longer is as every other
BUSY = {"active", "activating", "reloading", "deactivating"}


class StartError(ScheduledTasksError):
    """A service can't be started now."""

    exit_code = 75


def text(*, at: datetime | None, trigger: str, force: bool = False) -> str:
    """What says to a unit's next start what it is for.

    Args:
        at: the slot that it is to run; None: the one that its timer would run now, or none where it is by hand.
        trigger: `timer`, `manual`, `backfill` or `watch`, as the ledger has it.
        force: whether it runs also while it is paused.
    """
    lines = [
        f"{start_request.TRIGGER}={trigger}",
        f"{start_request.REQUESTED_AT}={time.monotonic():.6f}",
        f"{start_request.VALID_UNTIL}={time.time() + VALID_SECONDS:.0f}",
    ]
    lines += [f"{start_request.AT}={rfc3339(at, 'auto')}"] if at else []
    lines += [f"{start_request.FORCE}=1"] if force else []
    return "\n".join(lines) + "\n"


def ask(places: Places, unit: str, *, at: datetime | None, trigger: str, force: bool = False) -> None:
    """Says what the unit's next start is for, see `text`."""
    name = unit.removesuffix(".service")
    places.start_requests.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = places.start_requests / name
    path.with_suffix(".new").write_text(text(at=at, trigger=trigger, force=force))
    path.with_suffix(".new").rename(path)
    if force:
        (places.start_requests / f"{name}{FORCED}").touch()


def forget(places: Places, unit: str) -> None:
    """The next start is as every other."""
    name = unit.removesuffix(".service")
    for suffix in ("", FORCED):
        (places.start_requests / f"{name}{suffix}").unlink(missing_ok=True)


def start(units: Iterable[str], *, wait: bool = False) -> None:
    """Starts services; `wait`: returns when they have begun.

    Raises:
        StartError: systemd refuses; what it said.
    """
    command = ["systemctl", "start", *([] if wait else ["--no-block"]), "--", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StartError(done.stderr.strip() or f"systemctl start: exit code {done.returncode}")


def busy(units: Sequence[str]) -> set[str]:
    """Those of some services that run, or are about to."""
    if not units:
        return set()
    return {unit["Id"] for unit in show(Places(), "Id,ActiveState,Job", *units) if is_busy(unit)}


def is_busy(unit: dict[str, str]) -> bool:
    """Whether a service runs or is about to, by its properties ActiveState and Job."""
    return unit["ActiveState"] in BUSY or unit.get("Job", "0") not in {"", "0"}


def sweep(places: Places) -> None:
    """Removes what was asked of starts that are over: who asked has gone."""
    with suppress(FileNotFoundError):
        names = {path.name.partition(".")[0] for path in places.start_requests.iterdir()}
        units = [f"{name}.service" for name in sorted(names)]
        for unit in set(units) - busy(units) - {WATCH}:
            forget(places, unit)
