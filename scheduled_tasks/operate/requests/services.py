"""The services of this machine, as far as requests are about them: their state, and how to start and stop them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scheduled_tasks.deploy import credentials, start_requests, systemd
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.operate.on_call import run_logs

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from scheduled_tasks.render.names import Places
    from scheduled_tasks.run.database import Connection


@dataclass(frozen=True)
class ServiceState:
    """A service's state.

    Attributes:
        is_busy: whether it runs or is about to.
        invocation: of its last start, 32 hexadecimal digits; "" if there was none.
        run_id: the run for which a start request is there; "" if none is, or it names no run.
        problem: why its last start came to nothing, if systemd knows it.
    """

    is_busy: bool
    invocation: str = ""
    run_id: str = ""
    problem: str = ""


class Services(Protocol):
    """What a host can do for a request."""

    def state(self, unit: str) -> ServiceState:
        """The state of a service."""

    def start(self, unit: str, run_id: UUID, *, at: datetime | None, trigger: str, force: bool) -> None:
        """Start a service for a run, without waiting for it.

        Raises:
            ScheduledTasksError: it can't be started.
        """

    def stop(self, unit: str) -> None:
        """Stop a service, without waiting for it.

        Raises:
            ScheduledTasksError: it can't be stopped.
        """

    def store_logs(self, connection: Connection) -> None:
        """Store the log lines that are requested of runs on this host."""


@dataclass(frozen=True)
class SystemdServices:
    """The services of this machine's systemd."""

    places: Places
    host: str

    def state(self, unit: str) -> ServiceState:
        """The state of a service."""
        [shown] = systemd.show("LoadState,ActiveState,Job,InvocationID,ConditionResult,Result", unit)
        problem = ""
        if shown["LoadState"] != "loaded":
            problem = f"{unit} is {shown['LoadState']}"
        elif shown["ConditionResult"] == "no":
            problem = f"one of the conditions of {unit} is not met"
        elif shown["Result"] != "success":
            problem = f"the result of {unit} is {shown['Result']}"
        run_id = start_requests.requested_run(self.places, unit)
        return ServiceState(systemd.is_busy(shown), shown["InvocationID"], run_id, problem)

    def start(self, unit: str, run_id: UUID, *, at: datetime | None, trigger: str, force: bool) -> None:
        """Start a service for a run, without waiting for it."""
        credentials.renew(self.places)
        start_requests.write(self.places, unit, at=at, trigger=trigger, force=force, run_id=str(run_id))
        start_requests.start([unit])

    def stop(self, unit: str) -> None:
        """Stop a service, without waiting for it."""
        Effects().systemctl("stop", [unit], "--no-block")

    def store_logs(self, connection: Connection) -> None:
        """Store the log lines that are requested of runs on this host."""
        run_logs.store_requested(connection, self.places.state, self.host)
