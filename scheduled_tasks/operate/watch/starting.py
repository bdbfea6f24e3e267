"""The services that systemd is starting or running on this machine: their slots may only wait for their turn.

Hundreds of services that are due in one second start one after another, and each has its row in the ledger only when
run-task has begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from scheduled_tasks.deploy import systemd
from scheduled_tasks.instants import from_epoch
from scheduled_tasks.render import names

if TYPE_CHECKING:
    from scheduled_tasks.render.names import Places


def services_that_start(
    places: Places, jobs: Iterable[tuple[str, str]], now: datetime
) -> dict[tuple[str, str], datetime]:
    """Each of some jobs whose service is being started or runs, with the instant at which that began; `now` if queued.

    Raises:
        SystemdError: systemctl failed.
    """
    by_service = {names.service_name(clock, job): (clock, job) for clock, job in jobs}
    if not places.is_running or not by_service:
        return {}
    found = {}
    shown = systemd.show("Id,ActiveState,Job,InactiveExitTimestamp", "clock-*.service", manager=places.manager)
    for unit in shown:
        if unit["Id"] in by_service and systemd.is_busy(unit):
            began = from_epoch(systemd.timestamp(unit["InactiveExitTimestamp"]))
            found[by_service[unit["Id"]]] = now if systemd.has_job(unit) else began
    return found
