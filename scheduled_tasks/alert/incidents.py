"""The values of the room: incidents, notices, and deliveries, which are the messages to send. Pure.

An incident is one continuing fault of a job, a host or the whole; unique while open, so that all hosts together tell
of it once. A notice is one thing to say about it. migrations/0002_incidents.sql has their columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

TRIES_PER_ROUTE = 3  # before the next route gets its turn


class Kind(StrEnum):
    """What is wrong."""

    FAILING = "failing"  # the last slots of a job failed or were lost
    MISSED = "missed"  # the last slots of a job were due, and no host ran them
    LATE = "late"  # the last run began long after its nominal time
    SHORT = "short"  # the last run ended well sooner than it can have done its work (expected_at_least)
    SLOW = "slow"  # a run takes longer than expected (expected_duration), or took longer before anybody saw it
    SILENT = "silent"  # a host without a heartbeat
    STALE = "stale"  # a host whose slots are not accounted for, although it has heartbeats
    UNSENT = "unsent"  # a notice is overdue


OF_RESULTS = (Kind.FAILING, Kind.MISSED)  # judged by the database; at most one of both is open for a job


class What(StrEnum):
    """What a notice says, and what a message says."""

    OPENED = "opened"
    STILL = "still"
    CLOSED = "closed"
    # Of messages only:
    FLAPPING = "flapping"  # it changes so often that further changes are told once a day
    DIGEST = "digest"  # what was held: in quiet hours, or while it was flapping


@dataclass(frozen=True)
class Incident:
    """A row of `incident`.

    Attributes:
        id, kind: which one it is.
        clock, job: the job; "" of a host or the whole.
        host: the host of which it is: of a job only if each host is judged (`per_host`); otherwise "".
        run_host: the host of the last result; "" if unknown, such as of a slot that was due on several.
        opened_at: when it was found.
        first_at, last_at: the nominal times of the first and the last bad slot; of others, since when.
        bad: how many slots in a row are bad.
        missed: how many of them no host ran.
        run_id: the last bad result.
        reason: of the last bad result, masked as in the ledger.
        acked_at, acked_by, ack_reason: somebody has seen it: nothing more is told until it is closed.
        snoozed_until, snoozed_by, snooze_reason: nothing is told until then.
        closed_at, closed_by_run, close_reason: how it ended; `close_reason` is "" if a run ended well.
    """

    id: int
    kind: Kind
    clock: str
    job: str
    host: str
    run_host: str
    opened_at: datetime
    first_at: datetime
    last_at: datetime
    bad: int = 1
    missed: int = 0
    run_id: UUID | None = None
    reason: str = ""
    acked_at: datetime | None = None
    acked_by: str = ""
    ack_reason: str = ""
    snoozed_until: datetime | None = None
    snoozed_by: str = ""
    snooze_reason: str = ""
    closed_at: datetime | None = None
    closed_by_run: UUID | None = None
    close_reason: str = ""

    @property
    def name(self) -> str:
        """What it is about: `clock/job`, `clock/job on HOST`, the host, or `notices`."""
        if not self.job:
            return self.host or "notices"
        return f"{self.clock}/{self.job}{f' on {self.host}' if self.host else ''}"

    @property
    def is_open(self) -> bool:
        """Whether it continues."""
        return self.closed_at is None

    def duration(self, now: datetime) -> timedelta:
        """For how long it was open, or has been."""
        return (self.closed_at or now) - self.opened_at


@dataclass(frozen=True)
class Notice:
    """A row of `notice`: one thing to say about an incident.

    Attributes:
        id: its own; a message has the id of its first notice, so that a repetition can be recognised.
        incident: the incident's id.
        what: `opened`, `still` or `closed`.
        created_at, due_at: when it was written, and before when it is not sent.
        held: why it was held until now; "" if it wasn't.
        tries: how often it was tried.
    """

    id: UUID
    incident: int
    what: What
    created_at: datetime
    due_at: datetime
    held: str = ""
    tries: int = 0


@dataclass(frozen=True)
class Delivery:
    """A message to send now.

    Attributes:
        id: the id of the leading notice: equal in each try, also of another sender after one was killed.
        what: what the message says.
        incidents: what it is about, the most recent last; several in a group or a digest.
        notices: what it carries, in the same order.
        routes: the names of the routes to try, in order.
        attempt: which try this is, from 1.
    """

    id: UUID
    what: What
    incidents: tuple[Incident, ...]
    notices: tuple[Notice, ...]
    routes: tuple[str, ...]
    attempt: int = 1

    @property
    def route(self) -> str:
        """The route of this try: each gets TRIES_PER_ROUTE, then the next one, and after the last the first again."""
        return self.routes[(self.attempt - 1) // TRIES_PER_ROUTE % len(self.routes)]
