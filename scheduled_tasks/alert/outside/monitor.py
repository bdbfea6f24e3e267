"""The requests that monitoring services expect: a ping of a run goes in, the HTTP request for its service comes out.

Which service it is, its URL says: Healthchecks (also an own one), Cronitor, Sentry, or one that only wants to hear of
successes, such as Dead Man's Snitch. Pure; what a service expects is cited at its function.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

What = Literal["start", "success", "fail", "log"]
MAX_BODY = 10_000  # bytes: what hc-ping.com keeps at least of each ping
MAX_MESSAGE = 2_000  # characters in a URL: what Cronitor keeps
_SENTRY_PATH = re.compile(r"/api/\d+/cron/[^/]+/[^/]+/?\Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_JSON: Mapping[str, str] = {"Content-Type": "application/json"}
_TEXT: Mapping[str, str] = {"Content-Type": "text/plain; charset=utf-8"}


@dataclass(frozen=True)
class RunPing:
    """What there is to say about a run.

    Attributes:
        clock, job, host: of the run.
        what: `start`, `success`, `fail`, or `log` for what changes nothing, such as a skip.
        run_id: of the run; None to end whatever run the service thinks is still going on.
        duration: seconds, once it has ended.
        exit_code: of a run that failed, if it has one.
        text: for people: how it ended, and its last log lines.
        schedule: the job's schedule as Sentry wants it (`monitor_config`); empty for none.
    """

    clock: str
    job: str
    host: str
    what: What
    run_id: UUID | None
    duration: float | None = None
    exit_code: int | None = None
    text: str = ""
    schedule: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """An HTTP request."""

    url: str
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def request_of(url: str, ping: RunPing) -> Request | None:
    """The request that tells the service behind a URL of a run; None if the service has no place for this ping."""
    parts = urlsplit(url)
    if parts.username and parts.path.strip("/").rpartition("/")[2].isdecimal():
        return _sentry(_cron_url(url, f"{ping.clock}-{ping.job}"), ping)
    if _SENTRY_PATH.search(parts.path):
        return _sentry(url, ping)
    if parts.hostname in {"cronitor.link", "cronitor.io"}:
        return _cronitor(url, ping)
    if is_healthchecks(url):
        return _healthchecks(url, ping)
    return Request(url) if ping.what == "success" else None


def is_sentry(url: str) -> bool:
    """Whether a URL is Sentry's: of a check-in, or a project's DSN."""
    parts = urlsplit(url)
    return bool(parts.username) or bool(_SENTRY_PATH.search(parts.path))


def is_healthchecks(url: str) -> bool:
    """Whether a URL is one that Healthchecks is pinged at: hc-ping.com, or /ping/ of an own server.

    healthchecks.io/docs/http_api: PING_ENDPOINT/UUID, or PING_ENDPOINT/PING_KEY/SLUG.
    """
    parts = urlsplit(url)
    return parts.hostname == "hc-ping.com" or "/ping/" in parts.path or bool(_UUID.search(parts.path))


def _healthchecks(url: str, ping: RunPing) -> Request:
    """healthchecks.io/docs/http_api: /start, /fail, /EXIT-STATUS and /log, with rid=, and a body that it keeps."""
    action = {"success": "", "start": "/start", "log": "/log", "fail": "/fail"}[ping.what]
    if ping.what == "fail" and ping.exit_code and 0 < ping.exit_code <= 255:  # noqa: PLR2004 - an exit status
        action = f"/{ping.exit_code}"
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, f"rid={ping.run_id}" if ping.run_id else "")))
    target = urlunsplit(parts._replace(path=parts.path.rstrip("/") + action, query=query))
    body = _shortened(ping.text.encode(), MAX_BODY)
    return Request(target, "POST", body, _TEXT) if body else Request(target)


def _cronitor(url: str, ping: RunPing) -> Request | None:
    """cronitor.io/docs/telemetry-api: state=run|complete|fail, series= is the run's id."""
    state = {"start": "run", "success": "complete", "fail": "fail"}.get(ping.what)
    if state is None:
        return None
    values: dict[str, object] = {"state": state, "host": ping.host, "message": ping.text[:MAX_MESSAGE]}
    values |= {"series": ping.run_id or "", "status_code": "" if ping.exit_code is None else ping.exit_code}
    if ping.duration is not None:
        values["metric"] = f"duration:{ping.duration:.3f}"
    parts = urlsplit(url)
    query = "&".join(
        filter(None, (parts.query, urlencode({key: value for key, value in values.items() if value != ""})))
    )
    return Request(urlunsplit(parts._replace(query=query)))


def _sentry(url: str, ping: RunPing) -> Request | None:
    """docs.sentry.io, Crons, HTTP: a check-in as JSON; with `monitor_config` it creates or updates its monitor."""
    status = {"start": "in_progress", "success": "ok", "fail": "error"}.get(ping.what)
    if status is None:
        return None
    check_in: dict[str, object] = {"status": status}
    if ping.run_id:
        check_in["check_in_id"] = ping.run_id.hex
    if ping.duration is not None:
        check_in["duration"] = ping.duration
    if ping.schedule:
        check_in["monitor_config"] = dict(ping.schedule)
    return Request(url, "POST", json.dumps(check_in).encode(), _JSON)


def _cron_url(dsn: str, slug: str) -> str:
    """The URL of a monitor's check-ins, by the project's DSN: https://KEY@HOST[/PREFIX]/PROJECT."""
    parts = urlsplit(dsn)
    prefix, _, project = parts.path.strip("/").rpartition("/")
    host = parts.netloc.rpartition("@")[2]
    path = f"{f'/{prefix}' if prefix else ''}/api/{project}/cron/{slug}/{parts.username}/"
    return urlunsplit((parts.scheme, host, path, "", ""))


def _shortened(text: bytes, limit: int) -> bytes:
    """The text's beginning, which says how the run ended, and its end, the last lines of the log."""
    if len(text) <= limit:
        return text
    head, mark = limit // 4, "\n…\n".encode()
    kept = text[:head] + mark + text[len(text) - (limit - head - len(mark)) :]
    return kept.decode(errors="ignore").encode()
