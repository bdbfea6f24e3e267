"""The run of this process: its identity, how far it has come, and whether a signal may interrupt it.

One process is one run, so it is a global and not a context variable: a task's threads log the same run fields as the
task.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum, auto
from typing import NamedTuple, NoReturn

from scheduled_tasks.instants import rfc3339


class Stopped(KeyboardInterrupt):
    """A signal requested a stop.

    Not an Exception, because tasks catch those and go on. A KeyboardInterrupt, because psycopg then cancels the
    statement in the server, which would otherwise go on and be committed.
    """


# The variables of a pod, which a CronJob of `clocks export kubernetes` sets.
HOST = "SCHEDULED_TASKS_HOST"  # the name of the host in the ledger: CLUSTER/NAMESPACE
KUBERNETES_JOB = "SCHEDULED_TASKS_KUBERNETES_JOB"  # the Job's name
KUBERNETES_JOB_UID = "SCHEDULED_TASKS_KUBERNETES_JOB_UID"
KUBERNETES_POD_UID = "SCHEDULED_TASKS_KUBERNETES_POD_UID"


def host_name() -> str:
    """The name of this host in the ledger: a machine's is its hostname, a pod's that of its cluster and namespace."""
    return os.environ.get(HOST) or socket.gethostname()


class Phase(Enum):
    """How far a run has come with its row in `task_run` and its task."""

    STARTING = auto()  # no answer from PostgreSQL yet
    CLAIMED_ELSEWHERE = auto()  # another run has its slot
    RECORDED = auto()  # it has a row; its task has not been called
    RUNNING = auto()  # it has a row, and its task was called
    RUNNING_UNRECORDED = auto()  # its task was called without a row: PostgreSQL was unreachable


def random_uuid() -> str:
    """A random UUID (RFC 9562, version 4). Importing `uuid` would import `platform` as well."""
    octets = bytearray(os.urandom(16))
    octets[6] = octets[6] & 0x0F | 0x40
    octets[8] = octets[8] & 0x3F | 0x80
    digits = octets.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


# The variable that OpenTelemetry's specification of environment variables as carriers names.
TRACEPARENT = "TRACEPARENT"


def trace_id(run_id: str) -> str:
    """The id of a run's trace: its own (W3C Trace Context, trace-id). All attempts of a run have one trace."""
    return run_id.replace("-", "")


def span_id(run_id: str, attempt: int) -> str:
    """The id of an attempt's span (parent-id): the first eight bytes of the run's id, changed for each retry.

    Attempt 0, which could not start, is the same process as attempt 1. The version of a UUID keeps it from being zero.
    """
    octets = trace_id(run_id)[:16]
    return f"{int(octets[:8], 16) ^ max(attempt - 1, 0):08x}{octets[8:]}"


def parse_traceparent(text: str) -> tuple[str, str] | None:
    """The trace id and the span id of a `traceparent` (W3C Trace Context); None if it is not one."""
    parts = text.split("-")
    if [len(part) for part in parts] != [2, 32, 16, 2] or not _HEX.issuperset("".join(parts)) or parts[0] == "ff":
        return None
    return (parts[1], parts[2]) if parts[1].strip("0") and parts[2].strip("0") else None


def valid_traceparent(text: str) -> str:
    """The text if it is a `traceparent`, otherwise ""."""
    return text if parse_traceparent(text) else ""


_HEX = frozenset("0123456789abcdef")


class Run:
    """One run of one task.

    Attributes:
        task: `DOMAIN.TASK`, as on the command line.
        name: the function's name.
        clock, job: its place in a clock file; empty for a run by hand.
        trigger: `timer` if systemd's timer may have started it, otherwise `manual`; run/slot.py finds out.
        feature: the flag that decides whether it runs; empty without one.
        is_active: that flag's state, once it has been read.
        phase: how far it has come.
        stopped_by: the first signal that requested a stop; 0 without one.
        interruptible: whether a signal interrupts it now.
        scheduled_at: its nominal time in UTC, if it has one.
        zone: the zone of its schedule; empty if unknown.
        slot_host: whose slot it claims: "" all hosts', a name that host's own, None no slot.
        lag: seconds between the nominal time and its start; None without one, or if it was requested before it.
        attempt: which try at its slot this is.
        lasted: its duration, once its task has ended.
        is_requested: whether its slot was requested explicitly, not derived from its timer.
        is_forced: whether it runs even if it is paused or has run before.
        is_retried_by_pods: whether its next attempt is another pod, so that only the ledger knows how many there were.
        traceparent: the trace context in which it was started, for a link to it; empty without one.
    """

    def __init__(self, task: str, name: str, *, clock: str = "", job: str = "") -> None:
        self.task, self.name, self.clock, self.job = task, name, clock, job
        self.trigger = "timer" if "TRIGGER_UNIT" in os.environ else "manual"
        self.invocation_id = os.environ.get("INVOCATION_ID", "")
        self.run_id = random_uuid()
        self.host = host_name()
        self.pid = os.getpid()
        self.began = time.monotonic()
        self.lasted: float | None = None
        self.began_at = datetime.now(UTC)
        self.feature = ""
        self.is_active: bool | None = None
        self.phase = Phase.STARTING
        self.stopped_by = 0
        self.interruptible = False
        self.scheduled_at: datetime | None = None
        self.zone = ""
        self.slot_host: str | None = None
        self.lag: float | None = None
        self.attempt = 1
        self.is_requested = self.is_forced = self.is_retried_by_pods = False
        self.traceparent = valid_traceparent(os.environ.get(TRACEPARENT, ""))

    def enter_trace(self) -> None:
        """Make the run's span the parent of what its task traces, in this process and in those that it starts.

        The span itself is exported later, from the ledger (metrics/traces). It counts as sampled.
        """
        os.environ[TRACEPARENT] = f"00-{trace_id(self.run_id)}-{span_id(self.run_id, self.attempt)}-01"
        os.environ.pop("TRACESTATE", None)  # of the trace in which it was started

    @property
    def is_recorded(self) -> bool:
        """Whether it has a row in `task_run`."""
        return self.phase in {Phase.RECORDED, Phase.RUNNING}

    def allow_interrupt(self) -> None:
        """Let signals interrupt the run from now on; one that has already arrived does so at once.

        Raises:
            Stopped: a signal has requested a stop.
        """
        self.interruptible = True
        if self.stopped_by:
            self._interrupt()

    def stop(self, signum: int) -> None:
        """Request a stop. Only the first signal interrupts the run, so that cleanup can finish.

        Raises:
            Stopped: the run may be interrupted now.
        """
        self.stopped_by = self.stopped_by or signum
        if self.interruptible:
            self._interrupt()

    def _interrupt(self) -> NoReturn:
        self.interruptible = False
        raise Stopped(self.stopped_by)

    @contextmanager
    def uninterruptible(self) -> Iterator[None]:
        """Run a block that no signal interrupts; a signal that arrives meanwhile interrupts at its end."""
        # Signals arrive in the main thread only.
        if not (self.interruptible and threading.current_thread() is threading.main_thread()):
            yield
            return
        self.interruptible = False
        try:
            yield
        finally:
            self.allow_interrupt()

    @property
    def duration(self) -> float:
        """Seconds since the run began, to the millisecond; once its task has ended, until then."""
        return round(time.monotonic() - self.began, 3) if self.lasted is None else self.lasted

    def fields(self) -> dict[str, object]:
        """The fields that every log line of the run carries."""
        fields: dict[str, object] = {"name": self.name, "task": self.task, "run_id": self.run_id}
        known = {"clock": self.clock, "job": self.job, "invocation_id": self.invocation_id}
        fields |= {key: value for key, value in known.items() if value}
        if self.scheduled_at is not None:
            fields |= {"scheduled_at": self.due} | ({} if self.lag is None else {"lag": self.lag})
        if self.attempt > 1:
            fields["attempt"] = self.attempt
        return fields

    @property
    def due(self) -> str:
        """Its nominal time, as log lines and reasons show it."""
        return rfc3339(self.scheduled_at) if self.scheduled_at else ""

    def scheduled_or_started_at(self) -> datetime:
        """Its nominal time, otherwise the second in which it began; in its schedule's zone, otherwise the project's."""
        from zoneinfo import ZoneInfo  # only tasks that use it pay for the import

        from scheduled_tasks.run import settings

        zone = self.zone or settings.load().get("timezone") or "UTC"
        return (self.scheduled_at or self.began_at.replace(microsecond=0)).astimezone(ZoneInfo(zone))


class CurrentRun(NamedTuple):
    """What a task can know about its run.

    Attributes:
        run_id: the id in its row and its log lines.
        task: `DOMAIN.TASK`.
        clock, job: its place in a clock file; empty for a run by hand.
        scheduled_at: its nominal time, aware, in its schedule's zone, the same for every attempt; without one, the
            second in which it began.
        has_slot: whether that is a nominal time.
        attempt: which try at that time this is, from 1.
        trigger: `timer`, `manual`, `backfill`, or `watch` if it was taken over or caught up.
        host: the host it runs on.
    """

    run_id: str
    task: str
    clock: str
    job: str
    scheduled_at: datetime
    has_slot: bool
    attempt: int
    trigger: str
    host: str


SENTRY, OPENTELEMETRY = "sentry_sdk", "opentelemetry.trace"  # modules that application/sdks.py tells of the run


def has_sdk() -> bool:
    """Whether the task or its application has imported one of them."""
    return SENTRY in sys.modules or OPENTELEMETRY in sys.modules


def current_run() -> CurrentRun | None:
    """The run that the calling task is part of; None outside of run-task, in a shell or a test."""
    if (run := current) is None:
        return None
    at, has_slot = run.scheduled_or_started_at(), run.scheduled_at is not None
    return CurrentRun(run.run_id, run.task, run.clock, run.job, at, has_slot, run.attempt, run.trigger, run.host)


current: Run | None = None
