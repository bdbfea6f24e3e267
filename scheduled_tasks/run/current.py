"""The run that this process is: its identity and, in the end, what became of it.

One process is one run, so it stands in a global rather than in a context variable: threads that a task
starts log the same run fields as the task itself.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple, NoReturn

from scheduled_tasks.instants import rfc3339


class Stopped(KeyboardInterrupt):
    """A signal asked the run to stop.

    Not an Exception: tasks catch those and go on. A KeyboardInterrupt: psycopg cancels the statement in the server
    then, which would go on there, and be committed, without anybody who waits for it.
    """


def random_uuid() -> str:
    """A random UUID (RFC 9562, version 4). `uuid` imports `platform` too, and a run needs nothing else of them."""
    octets = bytearray(os.urandom(16))
    octets[6] = octets[6] & 0x0F | 0x40
    octets[8] = octets[8] & 0x3F | 0x80
    digits = octets.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class Run:
    """One run of one task.

    Attributes:
        task: `DOMAIN.TASK`, as on the command line.
        name: the function's name.
        clock, job: where it stands in a clock file; empty for a run by hand.
        trigger: `timer` where systemd's timer may have started it, else `manual`; run/slot.py finds out who did.
        feature: the flag that decides whether it runs, empty without one.
        is_active: that flag's state, once it has been read.
        stopped_by: the signal that asked it to stop, 0 without one.
        stoppable: whether a signal may cut it off now.
        recorded: whether it has a row in `task_run`.
        scheduled_at: its nominal time in UTC, where it has one.
        zone: the zone of its schedule, empty where that is not known.
        slot_host: the slot that it claims: "" is one for all hosts, a name that host's own; None: it has none.
        lag: seconds between the nominal time and its start.
        attempt: which try at its slot this is.
        is_asked_for: whether somebody named its slot, instead of a timer.
        has_begun: whether its task was called.
        is_anothers: whether its slot is another run's.
        is_forced: whether it runs although it is paused, or has run before.
    """

    def __init__(self, task: str, name: str, *, clock: str = "", job: str = "") -> None:
        self.task, self.name, self.clock, self.job = task, name, clock, job
        self.trigger = "timer" if "TRIGGER_UNIT" in os.environ else "manual"
        self.invocation_id = os.environ.get("INVOCATION_ID", "")
        self.run_id = random_uuid()
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self.began = time.monotonic()
        self.began_at = datetime.now(UTC)
        self.feature = ""
        self.is_active: bool | None = None
        self.stopped_by = 0
        self.stoppable = False
        self.recorded = False
        self.scheduled_at: datetime | None = None
        self.zone = ""
        self.slot_host: str | None = None
        self.lag = 0.0
        self.attempt = 1
        self.is_asked_for = self.is_forced = self.has_begun = self.is_anothers = False

    def let_stop(self) -> None:
        """From here on a signal may cut the run off; one that came already does it now.

        Raises:
            Stopped: that is how.
        """
        self.stoppable = True
        if self.stopped_by:
            self.cut_off()

    def stop(self, signum: int) -> None:
        """Takes a signal's wish; the first one counts, and only one cuts the run off: its end needs its time.

        Raises:
            Stopped: where the run may be cut off now.
        """
        self.stopped_by = self.stopped_by or signum
        if self.stoppable:
            self.cut_off()

    def cut_off(self) -> NoReturn:
        """Raises Stopped, once."""
        self.stoppable = False
        raise Stopped(self.stopped_by)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """A block that no signal cuts in two; what came in between does it at the block's end."""
        held = self.stoppable and threading.current_thread() is threading.main_thread()  # only there signals arrive
        if not held:
            yield
            return
        self.stoppable = False
        try:
            yield
        finally:
            self.let_stop()

    @property
    def duration(self) -> float:
        """Seconds since the run began, to the millisecond."""
        return round(time.monotonic() - self.began, 3)

    def fields(self) -> dict[str, object]:
        """What every log line of the run carries."""
        fields: dict[str, object] = {"name": self.name, "task": self.task, "run_id": self.run_id}
        known = {"clock": self.clock, "job": self.job, "invocation_id": self.invocation_id}
        fields |= {key: value for key, value in known.items() if value}
        if self.scheduled_at is not None:
            fields |= {"scheduled_at": self.due, "lag": self.lag}
        if self.attempt > 1:
            fields["attempt"] = self.attempt
        return fields

    @property
    def due(self) -> str:
        """Its nominal time, as lines and reasons show it."""
        return rfc3339(self.scheduled_at) if self.scheduled_at else ""

    def time_to_work_for(self) -> datetime:
        """Its nominal time in its schedule's zone (else the project's), or without one the second that it began in."""
        from zoneinfo import ZoneInfo  # a task that doesn't ask needn't pay for it

        from scheduled_tasks.run import settings

        zone = self.zone or settings.load().get("timezone") or "UTC"
        return (self.scheduled_at or self.began_at.replace(microsecond=0)).astimezone(ZoneInfo(zone))


class CurrentRun(NamedTuple):
    """What a task may know of its run.

    Attributes:
        run_id: of its row and its log lines.
        task: `DOMAIN.TASK`.
        clock, job: where it stands in a clock file; empty for a run by hand.
        scheduled_at: the time that it works for, aware, in its schedule's zone: its nominal time, however late or often
            it runs; without one the second that it began in.
        has_slot: whether that is a nominal time.
        attempt: which try at that time this is, from 1.
        trigger: `timer`, `manual`, `backfill`, or `watch` for one taken over or caught up.
        host: where it runs.
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


def current_run() -> CurrentRun | None:
    """The run that the calling task is part of; None outside of run-task, in a shell or a test."""
    run = current
    if run is None:
        return None
    return CurrentRun(
        run.run_id,
        run.task,
        run.clock,
        run.job,
        run.time_to_work_for(),
        run.scheduled_at is not None,
        run.attempt,
        run.trigger,
        run.host,
    )


current: Run | None = None
