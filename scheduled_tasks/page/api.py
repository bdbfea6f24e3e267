"""The page for programs: JSON with the names and values of `clocks … --json`, and metrics for Prometheus.

Instants are RFC 3339 in UTC, durations seconds, sizes bytes. A list is bounded and continues after its last row.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from starlette.responses import Response

from scheduled_tasks.alert import incident_rows
from scheduled_tasks.errors import ServiceUnavailableError
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.metrics.exporter import text_without_ledger
from scheduled_tasks.metrics.exposition import CONTENT_TYPE
from scheduled_tasks.operate import history, status
from scheduled_tasks.page.view import Site, viewing

if TYPE_CHECKING:
    from starlette.requests import Request

PAGE = 100
MAX_PAGE = 1000


def api_status(request: Request) -> Response:
    """Jobs and hosts: all bad jobs, or those of a clock."""
    clock, job = request.query_params.get("clock", ""), request.query_params.get("job", "")
    with viewing(request) as view:
        jobs = status.jobs(view.connection, view.now, clock, job, bad_only=not clock)
        hosts = status.hosts(view.connection, view.now)
        healthy = not any(one.is_bad for one in jobs) and not any(host.is_dead for host in hosts)
        listed = [{**_values(one), "state": one.state, "bad": one.is_bad, "since": one.since} for one in jobs]
        return _json({"healthy": healthy, "at": view.now, "jobs": listed, "hosts": hosts})


def api_incidents(request: Request) -> Response:
    """The open incidents, or with all=1 the last ones."""
    with viewing(request) as view:
        is_all = request.query_params.get("all") == "1"
        return _json(incident_rows.incidents(view.connection, open_only=not is_all, limit=PAGE))


def api_history(request: Request) -> Response:
    """Past slots and runs, newest first: of all, a clock or a job; after the run `before`."""
    query = request.query_params
    with viewing(request) as view:
        before = history.find_run(view.connection, query["before"]) if query.get("before") else None
        limit = min(int(query.get("limit", PAGE)), MAX_PAGE)
        rows = history.history(
            view.connection, clock=query.get("clock", ""), job=query.get("job", ""), status=query.get("status", ""),
            until=view.now, before=before, limit=limit,
        )  # fmt: skip
        return _json([row._asdict() for row in rows])


def api_run(request: Request) -> Response:
    """One run."""
    with viewing(request) as view:
        row = history.get_run(view.connection, request.path_params["run_id"])
        return _json(row._asdict() if row else {"error": "no such run"}, 200 if row else 404)


def metrics(request: Request) -> Response:
    """The metrics, as `clocks metrics` prints them."""
    site: Site = request.app.state.site
    try:
        with site.database.reading() as connection:
            return Response(site.exporter.text(connection), media_type=CONTENT_TYPE)
    except (psycopg.Error, ServiceUnavailableError):
        site.exporter.forget()
        return Response(text_without_ledger(datetime.now(UTC)), 503, media_type=CONTENT_TYPE)


def _values(one: Any) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in fields(one)}


def _json(value: Any, code: int = 200) -> Response:
    text = json.dumps(value, default=_plain)
    return Response(f"{text}\n", code, media_type="application/json", headers={"Cache-Control": "no-store"})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if is_dataclass(value):
        return _values(value)
    return str(value)
