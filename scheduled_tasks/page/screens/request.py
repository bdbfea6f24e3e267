"""A request: what was asked of which host, why, and what becomes of it. The browser asks again until it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.errors import UsageError
from scheduled_tasks.operate import history
from scheduled_tasks.operate.on_call import run_logs
from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.page.view import viewing
from scheduled_tasks.run.status import RunStatus

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

AGAIN_AFTER = 3  # seconds


def request(http_request: Request) -> Response:
    """The screen."""
    with viewing(http_request) as view:
        number = int(http_request.path_params["number"])
        try:
            row = request_rows.find(view.connection, number)
        except UsageError:
            return view.render("missing", status=404, title="No such request", what=f"request {number}")
        run = history.get_run(view.connection, row.run_id) if row.run_id else None
        stored = run_logs.stored(view.connection, row.run_id) if row.run_id and row.kind == "log" else None
        is_open = row.outcome is None or (run is not None and run.status == RunStatus.STARTED and row.kind == "run")
        return view.render(
            "request",
            title=f"Request {number}",
            request=row,
            run=run,
            has_log=bool(stored and stored.captured_at),
            refresh=AGAIN_AFTER if is_open else 0,
        )
