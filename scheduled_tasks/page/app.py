"""The application: its routes, the headers of every answer, and what it says when PostgreSQL does not answer.

Endpoints are plain functions, which Starlette calls in threads: they wait for PostgreSQL.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.metrics.exporter import Exporter
from scheduled_tasks.metrics.samples import which_jobs
from scheduled_tasks.page import actions, api
from scheduled_tasks.page.access import gate
from scheduled_tasks.page.access.authenticate import Refused
from scheduled_tasks.page.access.tokens import KnownTokens, known
from scheduled_tasks.page.live import Live
from scheduled_tasks.page.pool import Database
from scheduled_tasks.page.reads.catalog import CatalogCache
from scheduled_tasks.page.screens import forecast, job, jobs, lists, now, request, run, timeline
from scheduled_tasks.page.screens import zone as screen_zone
from scheduled_tasks.page.view import TEMPLATES, Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from scheduled_tasks.page.access import AccessSettings
    from scheduled_tasks.page.access.settings import Token

# Nothing is loaded from elsewhere, no script or style stands in a page, and no other site can frame it.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
STATIC = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
KEEP_STATIC = "public, max-age=3600"  # seconds: a new release's files are seen within the hour


class SecurityHeaders:
    """Adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def create_app(database_url: str, *, zone: str, access: AccessSettings, metrics_jobs: object = None) -> Starlette:
    """The page of one database; `zone` is what readers see until they choose another, `access` who may what."""
    database = Database(database_url)
    live = Live(database)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        database.open()
        try:
            yield
        finally:
            live.stop()
            database.close()

    app = Starlette(
        routes=[*_routes(), Route("/live", live.stream)],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(gate, settings=access, known_tokens=KnownTokens(partial(_known_tokens, database))),
            Middleware(GZipMiddleware, minimum_size=500, compresslevel=5),
        ],
        exception_handlers={ScheduledTasksError: _unavailable, psycopg.Error: _unavailable, 404: _not_found},
        lifespan=lifespan,
    )
    app.state.site = Site(database, zone, CatalogCache(), Exporter(which_jobs(metrics_jobs)))
    return app


def _routes() -> list[Route]:
    return [
        Route("/", now.now),
        Route("/jobs", jobs.jobs),
        Route("/jobs/{clock}", jobs.clock_jobs),
        Route("/job/{clock}/{job}", job.job),
        Route("/run/{run_id}", run.run),
        Route("/timeline", timeline.timeline),
        Route("/forecast", forecast.forecast),
        Route("/incidents", lists.incidents),
        Route("/flags", lists.flags),
        Route("/pauses", lists.pauses_screen),
        Route("/hosts", lists.hosts),
        Route("/changes", lists.changes),
        Route("/zone", screen_zone.zone),
        Route("/zone", screen_zone.choose, methods=["POST"]),
        Route("/metrics", api.metrics),
        Route("/api/status", api.api_status),
        Route("/api/incidents", api.api_incidents),
        Route("/api/history", api.api_history),
        Route("/api/run/{run_id:uuid}", api.api_run),
        Route("/request/{number:int}", request.request),
        Route("/act/{kind}", actions.act, methods=["POST"]),
        Route("/logged-out", logged_out),
        Route("/static/{name}", static),
        Route("/favicon.ico", static, name="icon"),
    ]


def static(request: Request) -> Response:
    """A file of the page itself."""
    name = request.path_params.get("name", "icon.svg")
    if name not in STATIC:
        return Response("not found", 404, media_type="text/plain")
    content = files("scheduled_tasks.page").joinpath("static", name).read_bytes()
    return Response(content, media_type=STATIC[name], headers={"Cache-Control": KEEP_STATIC})


def logged_out(_request: Request) -> HTMLResponse:
    """What somebody sees after logging out."""
    return HTMLResponse(TEMPLATES.get_template("logged_out.html.j2").render(), headers={"Cache-Control": "no-store"})


def _known_tokens(database: Database) -> tuple[Token, ...]:
    """The tokens of the database.

    Raises:
        Refused: it does not answer.
    """
    try:
        with database.reading() as connection:
            return known(connection)
    except (ScheduledTasksError, psycopg.Error) as error:
        raise Refused(503, f"the ledger can't be read: {error}") from error


def _unavailable(_request: Request, error: Exception) -> HTMLResponse:
    """What a reader sees when the ledger can't be read: why, and that the jobs don't depend on the page."""
    html = TEMPLATES.get_template("unavailable.html.j2").render(error=str(error))
    return HTMLResponse(html, 503, headers={"Retry-After": "5", "Cache-Control": "no-store"})


def _not_found(_request: Request, _error: Any) -> HTMLResponse:
    return HTMLResponse(TEMPLATES.get_template("not_found.html.j2").render(), 404)
