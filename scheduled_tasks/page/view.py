"""What every screen gets: the reader's time, zone and rights, the catalog, and how its template is rendered."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from scheduled_tasks import __version__
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.operate.status import MAX_STREAK
from scheduled_tasks.page.charts.icons import icon
from scheduled_tasks.page.pool import Database
from scheduled_tasks.page.reads.catalog import Catalog, CatalogCache
from scheduled_tasks.page.times import ReaderTimes
from scheduled_tasks.quantities import counted, distance, duration, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from scheduled_tasks.metrics.exporter import Exporter
    from scheduled_tasks.page.access import Actor
    from scheduled_tasks.run.database import Connection

ZONE_COOKIE = "zone"
# The screens in the order of the navigation: path, name, and whether a narrow screen shows it without opening "More".
SCREENS = (
    ("/", "Now", True),
    ("/jobs", "Jobs", True),
    ("/timeline", "Timeline", True),
    ("/forecast", "Forecast", False),
    ("/incidents", "Incidents", False),
    ("/flags", "Flags", False),
    ("/pauses", "Pauses", False),
    ("/hosts", "Hosts", False),
    ("/changes", "Changes", False),
)


@dataclass(frozen=True)
class Site:
    """What the process has: its database, the project's zone, the catalog and the metrics."""

    database: Database
    zone: str
    catalog: CatalogCache
    exporter: Exporter


@dataclass(frozen=True)
class View:
    """One request's view of the ledger.

    Attributes:
        request: the request.
        connection: a connection that can only read.
        now: the database's time.
        times: the reader's.
        catalog: all deployed jobs.
        site: what the process has.
    """

    request: Request
    connection: Connection
    now: datetime
    times: ReaderTimes
    catalog: Catalog
    site: Site

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return self.request.state.actor  # type: ignore[no-any-return] # the middleware has set it

    def may(self, clock: str, job: str = "") -> bool:
        """Whether the actor may act on a job, or on a whole clock; "" for all clocks."""
        if not clock:
            return self.actor.is_admin
        known = self.catalog.jobs.get((clock, job))
        return self.actor.may_act_on(clock, known.owner if known else "")

    def render(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """An answer of a template."""
        common = {
            "view": self,
            "times": self.times,
            "now": self.now,
            "path": self.request.url.path,
            "query": self.request.query_params,
            "screens": SCREENS,
            "release": __version__,
            "actor": self.actor,
            "csrf": self.actor.csrf,
            "may": self.may,
            "back": self.request.url.path,
            "refresh": 0,
        }
        html = TEMPLATES.get_template(f"{template}.html.j2").render({**common, **values})
        return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


@contextmanager
def viewing(request: Request) -> Iterator[View]:
    """The view of a request."""
    site: Site = request.app.state.site
    with site.database.reading() as connection:
        [(now,)] = connection.execute("SELECT clock_timestamp()").fetchall()
        times = ReaderTimes(now, readers_zone(request, site.zone))
        yield View(request, connection, now, times, site.catalog.current(connection), site)


def readers_zone(request: Request, default: str) -> str:
    """The zone that the reader has chosen, otherwise the project's."""
    chosen = request.cookies.get(ZONE_COOKIE, "")
    return chosen if chosen and is_zone(chosen) else default


def is_zone(name: str) -> bool:
    """Whether the tz database has a zone."""
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return False
    return True


def _with_query(query: Mapping[str, str], **changed: str) -> str:
    """The query of a URL with some of its parameters changed; "" removes one."""
    values = {key: value for key, value in {**query, **changed}.items() if value}
    return f"?{urlencode(values)}" if values else "?"


def job_path(clock: str, job: str) -> str:
    """The path of a job's screen."""
    return f"/job/{quote(clock, safe='')}/{quote(job, safe='')}"


def _ticks(text: str) -> Markup:
    """A text whose words in backticks are code, and which is a sentence."""
    return _step(f"{text}{'' if text.endswith('.') else '.'}")


def _step(text: str) -> Markup:
    """A text whose words in backticks are code."""
    begun = f"{text[:1].upper()}{text[1:]}"
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(begun))))  # noqa: S704 - escaped


def _soft(text: str) -> Markup:
    """A name that a narrow screen breaks between its words, not within one."""
    return Markup(re.sub(r"([./:_])", r"\1<wbr>", str(escape(text))))  # noqa: S704 - escaped


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scheduled_tasks.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "ticks": _ticks,
        "step": _step,
        "soft": _soft,
        "duration": duration,
        "distance": distance,
        "size": size,
        "quoted": shlex.quote,
    }
    environment.globals |= {
        "counted": counted,
        "icon": icon,
        "rfc3339": rfc3339,
        "job_path": job_path,
        "with_query": _with_query,
        "MAX_STREAK": MAX_STREAK,
    }
    return environment


TEMPLATES = _templates()
