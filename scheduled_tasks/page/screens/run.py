"""A run, or a slot that nobody ran: its result, its log lines, every attempt, and what changed since it last worked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.alert.message.changes import changes
from scheduled_tasks.alert.message.words import Times
from scheduled_tasks.errors import UsageError
from scheduled_tasks.masking import mask
from scheduled_tasks.operate import history, pauses
from scheduled_tasks.operate.on_call import run_logs
from scheduled_tasks.page.reads.slots import USUAL_OF, last_slots, neighbours, usual_duration
from scheduled_tasks.page.reads.troubles import what_to_do
from scheduled_tasks.page.view import View, viewing
from scheduled_tasks.render.names import service_name
from scheduled_tasks.run.status import BAD, RunStatus

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from scheduled_tasks.operate.history import RunRow


def run(request: Request) -> Response:
    """The screen."""
    named = request.path_params["run_id"]
    with viewing(request) as view:
        row = _found(view, named)
        if row is None:
            return view.render("missing", status=404, title="No such run", what=f"run {named}")
        stored = run_logs.stored(view.connection, row.run_id)
        attempts = history.attempts(view.connection, row)
        is_bad = row.status in BAD
        unit = service_name(row.clock, row.job) if row.clock and row.job else ""
        means, steps = what_to_do(row) if is_bad else ("", ())
        return view.render(
            "run",
            title=f"{row.name}, {row.status}",
            run=row,
            error=mask(": ".join(filter(None, (row.error_type, row.error_message)))),
            reason=mask(row.reason or ""),
            attempts=attempts,
            unit=unit,
            is_paused=any(
                pause.covers(row.clock or "", row.job or "") for pause in pauses.active(view.connection, view.now)
            ),
            means=means,
            steps=steps,
            log=run_logs.readable(stored.lines, view.times.zone_name) if stored else [],
            log_requested=bool(stored and stored.captured_at is None),
            has_journal=row.invocation_id is not None,
            beside=neighbours(view.connection, row, view.now) if row.clock and row.job else None,
            good=(good := _last_good(view, row) if is_bad else None),
            changed=changes(view.connection, good, row, Times(view.now, view.times.zone_name)) if good else [],
            usual=_usual(view, row) if row.status == RunStatus.STARTED else None,
            never_ran=row.status == RunStatus.MISSED,
        )


def _found(view: View, named: str) -> RunRow | None:
    """The run of an ID, or of the first characters of one, as `clocks history` shows them."""
    try:
        return history.find_run(view.connection, named)
    except UsageError:
        return None


def _usual(view: View, row: RunRow) -> float | None:
    if not (row.clock and row.job):
        return None
    return usual_duration(last_slots(view.connection, row.clock, row.job, view.now, USUAL_OF * 2))


def _last_good(view: View, row: RunRow) -> RunRow | None:
    if not (row.clock and row.job):
        return None
    return history.last_good(view.connection, row.clock, row.job, row.slot_host or "", row.started_at)
