"""Now: one line of state, what is wrong, what runs, and what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.operate import pauses, status
from scheduled_tasks.page.live import state_of
from scheduled_tasks.page.reads.slots import running
from scheduled_tasks.page.reads.troubles import DETAILED, troubles
from scheduled_tasks.page.view import viewing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from scheduled_tasks.operate.slots import Pause
    from scheduled_tasks.page.reads.catalog import CatalogJob

COMING = 20
WRONG_SHOWN = 100


def now(request: Request) -> Response:
    """The screen."""
    with viewing(request) as view:
        state = state_of(view.connection)  # read first, so that no change during the other reads is missed
        wrong = troubles(view.connection, view.now, view.times.zone_name)
        hosts = status.hosts(view.connection, view.now)
        active = pauses.active(view.connection, view.now)
        judged = view.connection.execute("SELECT min(accounted_until) FROM host").fetchall()[0][0]
        coming = [due for due in view.catalog.coming(view.now, COMING * 2) if not _paused(active, due.job)]
        return view.render(
            "now",
            state=state,
            title=_title(len(wrong)),
            wrong=wrong[:WRONG_SHOWN],
            wrong_number=len(wrong),
            detailed=DETAILED,
            running=running(view.connection, view.now),
            coming=coming[:COMING],
            hosts=hosts,
            dead=[host for host in hosts if host.is_dead],
            pauses=active,
            judged=judged,
        )


def _title(wrong: int) -> str:
    return f"({wrong}) Now" if wrong else "Now"


def _paused(active: Sequence[Pause], job: CatalogJob) -> bool:
    return all(any(pause.covers(job.clock, job.job, host) for pause in active) for host in job.hosts)
