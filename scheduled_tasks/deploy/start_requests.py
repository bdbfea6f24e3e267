"""Start requests: files that tell a job's next start which slot to run, for whom, and whether a pause counts.

A request is an EnvironmentFile= of the job's service (units/all-services.conf.j2), so the job runs in its own unit,
with its user, limits and log. run-task ignores it in later starts (run/slot.py). Needs root, as every start does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime

from scheduled_tasks.deploy import systemd
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.systemd import SystemdError
from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.render.names import WATCH, Places
from scheduled_tasks.run import slot

FORCED = ".forced"
VALID_SECONDS = 600  # a start that queues for longer ignores its request


class StartError(ScheduledTasksError):
    """A service can't be started now."""

    exit_code = 75


def write(  # noqa: PLR0913 - all that a request says
    places: Places,
    unit: str,
    *,
    at: datetime | None,
    trigger: str,
    force: bool = False,
    run_id: str = "",
    traceparent: str = "",
    effects: Effects | None = None,
) -> None:
    """Write the request for a service's next start.

    Args:
        places: where requests are.
        unit: the service.
        at: the slot to run; None for the one that its timer would run now, or no slot for a start by hand.
        trigger: `timer`, `manual`, `backfill` or `watch`, as in the ledger.
        force: run even while the job is paused.
        run_id: the ID of the run; by default run-task chooses one.
        traceparent: the trace context of who requests it, to which the run's span links.
        effects: through which the machine is changed.
    """
    effects = effects or Effects()
    lines = [
        f"{slot.TRIGGER}={trigger}",
        f"{slot.REQUESTED_AT}={time.monotonic():.6f}",
        f"{slot.VALID_UNTIL}={time.time() + VALID_SECONDS:.0f}",
    ]
    lines += [f"{slot.AT}={rfc3339(at, 'auto')}"] if at else []
    lines += [f"{slot.FORCE}=1"] if force else []
    lines += [f"{slot.RUN_ID}={run_id}"] if run_id else []
    lines += [f"{slot.STARTED_IN}={traceparent}"] if traceparent else []
    name = unit.removesuffix(".service")
    effects.folder(places.start_requests)
    effects.replace(places.start_requests / name, "\n".join(lines) + "\n")
    if force:
        effects.write(places.start_requests / f"{name}{FORCED}", "")


def remove(places: Places, unit: str, effects: Effects | None = None) -> None:
    """Remove a service's request, so that its next start is an ordinary one."""
    name = unit.removesuffix(".service")
    for suffix in ("", FORCED):
        (effects or Effects()).remove(places.start_requests / f"{name}{suffix}")


def requested_run(places: Places, unit: str) -> str:
    """The run for which a service's request is; "" if it has none, or it names no run."""
    try:
        lines = (places.start_requests / unit.removesuffix(".service")).read_text().splitlines()
    except FileNotFoundError:
        return ""
    return next((line.partition("=")[2] for line in lines if line.startswith(f"{slot.RUN_ID}=")), "")


def start(units: Iterable[str], *, wait: bool = False, effects: Effects | None = None) -> None:
    """Start services; with `wait`, return once they have started.

    Raises:
        StartError: systemd refused; with its message.
    """
    try:
        (effects or Effects()).systemctl("start", [*units], *(() if wait else ("--no-block",)))
    except SystemdError as error:
        raise StartError(str(error)) from None


def busy(units: Sequence[str]) -> set[str]:
    """Those of some services that are running or starting."""
    shown = systemd.show("Id,ActiveState,Job", *units) if units else []
    return {unit["Id"] for unit in shown if systemd.is_busy(unit)}


def sweep(places: Places, effects: Effects | None = None) -> None:
    """Remove the requests whose start is over, left by callers that were killed."""
    with suppress(FileNotFoundError):
        names = {path.name.partition(".")[0] for path in places.start_requests.iterdir()}
        units = {f"{name}.service" for name in names}
        for unit in units - busy(sorted(units)) - {WATCH}:
            remove(places, unit, effects)
