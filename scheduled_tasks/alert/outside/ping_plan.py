"""Which of a monitor's waiting pings are worth sending. Pure.

Services allow few pings a minute, and only need to know how the last run went. So the start of a run that has ended is
dropped, and of a long backlog all but the last results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from scheduled_tasks.alert.outside.monitor import What

MAX_RESULTS = 3  # of one monitor at once; hc-ping.com allows five pings a minute


class Ping(NamedTuple):
    """A row of `ping`; `is_due` is false for the start of a run that began a moment ago, and may have ended by now."""

    id: int
    what: What
    run_id: UUID
    host: str
    is_due: bool = True


class LastSent(NamedTuple):
    """The start or end that a monitor was told of last, and whether that run is still going on."""

    what: What
    run_id: UUID
    is_running: bool


@dataclass(frozen=True)
class Plan:
    """What to send now, in order, and what to drop.

    `ends_any` is the ping that has to end a run which the service waits for although it is over: it names no run.
    """

    send: tuple[Ping, ...] = ()
    drop: tuple[Ping, ...] = ()
    ends_any: Ping | None = None


def plan(waiting: Sequence[Ping], last: LastSent | None) -> Plan:
    """Decide which pings are worth sending, given in the order in which they happened."""
    results = [ping for ping in waiting if ping.what != "start"]
    kept = {ping.id for ping in results[-MAX_RESULTS:]}
    for what in ("success", "fail"):
        kept |= {ping.id for ping in [ping for ping in results if ping.what == what][-1:]}
    started = last.run_id if last and last.what == "start" else None
    kept |= {ping.id for ping in results if ping.run_id == started}  # the service waits for that run's end
    kept |= {ping.id for ping in waiting[-1:] if ping.what == "start"}  # the current run
    worthy = [ping for ping in waiting if ping.id in kept]
    ends = [ping for ping in worthy if ping.what in {"success", "fail"}]
    # The end of another run would be taken for that of an overlapping one (hc/api/models.py, Check.ping).
    is_over = started is not None and last is not None and not last.is_running
    ends_any = ends[0] if is_over and ends and ends[0].run_id != started else None
    return Plan(
        tuple(ping for ping in worthy if ping.is_due),
        tuple(ping for ping in waiting if ping.id not in kept),
        ends_any,
    )
