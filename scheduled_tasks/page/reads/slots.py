"""Slots and runs as the screens draw them: of one job, what runs now, and what a run's neighbours are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from scheduled_tasks.operate.status import RESULT_AT
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from scheduled_tasks.operate.history import RunRow
    from scheduled_tasks.run.database import Connection

RUNNING_SHOWN = 100
LONGEST_RUN = timedelta(days=7)  # of a run that counts as running; a row that is older has an end that nobody recorded
USUAL_OF = 20  # runs that decide what is usual


class SlotMark(NamedTuple):
    """A slot or a run as a chart shows it; `at` is its nominal time, or its start if it had none."""

    run_id: UUID
    at: datetime
    status: str
    duration: float | None
    memory_peak: int | None
    host: str
    by_hand: bool
    reason: str

    @property
    def is_hole(self) -> bool:
        """Whether nothing ran where something was due."""
        return self.status == RunStatus.MISSED


class Running(NamedTuple):
    """A run that has not ended yet; `usual` is the median of its job's last good runs, in seconds."""

    run_id: UUID
    clock: str | None
    job: str | None
    task: str
    host: str
    started_at: datetime
    scheduled_at: datetime | None
    expires_at: datetime | None
    usual: float | None

    @property
    def name(self) -> str:
        """`CLOCK/JOB`, or the task of a run by hand."""
        return f"{self.clock}/{self.job}" if self.clock else self.task


_MARK = (
    "run_id, coalesce(scheduled_at, started_at) AS at, status, duration, memory_peak, host, slot_host IS NULL,"
    " coalesce(reason, error_message, '')"
)


def last_slots(connection: Connection, clock: str, job: str, now: datetime, limit: int) -> list[SlotMark]:
    """The last slots and runs of a job, oldest first."""
    rows = connection.execute(
        f"SELECT {_MARK} FROM task_run WHERE clock = %s AND job = %s AND started_at <= %s"  # noqa: S608 - our own text
        " ORDER BY started_at DESC LIMIT %s",
        [clock, job, now, limit],
    )
    return [SlotMark(*row) for row in rows][::-1]


# A run that has expired is lost, or another host takes it over: the watch says which.
_RUNNING = f"""
SELECT run_id, clock, job, task, host, started_at, scheduled_at, expires_at,
       (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration) FROM (
           SELECT duration FROM task_run AS good
            WHERE good.clock = run.clock AND good.job = run.job AND good.status = 'ended'
            ORDER BY {RESULT_AT} DESC LIMIT %(usual)s) AS last)
  FROM (SELECT * FROM task_run WHERE status = 'started' AND expires_at >= %(now)s
         ORDER BY expires_at LIMIT %(limit)s) AS run
 ORDER BY started_at
"""  # noqa: S608 - our own text


def running(connection: Connection, now: datetime) -> list[Running]:
    """What runs now, the longest first."""
    rows = connection.execute(_RUNNING, {"now": now, "limit": RUNNING_SHOWN, "usual": USUAL_OF})
    return [Running(*row) for row in rows]


def usual_duration(marks: Iterable[SlotMark]) -> float | None:
    """The median of the last runs that ended well, in seconds; None without any."""
    good = [mark.duration for mark in marks if mark.status == RunStatus.ENDED and mark.duration is not None]
    last = sorted(good[-USUAL_OF:])
    return last[len(last) // 2] if last else None


class Neighbours(NamedTuple):
    """The slots of a job before and after one; None at the ends."""

    before: SlotMark | None
    after: SlotMark | None


def neighbours(connection: Connection, run: RunRow, now: datetime) -> Neighbours:
    """The slots beside a run's."""

    def one(order: str, sign: str) -> SlotMark | None:
        row = connection.execute(
            f"SELECT {_MARK} FROM task_run WHERE clock = %s AND job = %s AND started_at {sign} %s"  # noqa: S608 - our own text
            f" AND started_at <= %s AND run_id <> %s ORDER BY started_at {order} LIMIT 1",
            [run.clock, run.job, run.started_at, now, run.run_id],
        ).fetchone()
        return SlotMark(*row) if row else None

    return Neighbours(one("DESC", "<"), one("ASC", ">"))
