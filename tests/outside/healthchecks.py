"""A Healthchecks for tests: its pinging API and its Management API v3, one project, on the loopback interface.

It also takes Sentry's check-ins, and keeps them as they are.

It keeps the rules that matter here as the original has them (hc/api/views.py and hc/api/models.py, read in November
2026): the bounds of values, pings of a paused check, `rid` of overlapping runs, and when a check is down. Its clock is
the test's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from tests.outside.http_server import Answer, Request, http_server

API_KEY, PING_KEY = "read-write-key-of-32-characters--", "ping-key"
_PING = re.compile(r"/ping/(?:([0-9a-f-]{36})|([\w-]+)/([\w-]+))(?:/(start|fail|log|\d{1,3}))?/?")
_CHECK = re.compile(r"/api/v3/checks/([0-9a-f-]{36})(?:/(pause|resume))?")
BOUNDS = {"timeout": (60, 31_536_000), "grace": (60, 31_536_000)}
LENGTHS = {"name": 100, "schedule": 100, "slug": 100}
TEXTS = ("name", "slug", "tags", "desc", "schedule", "tz", "channels")


@dataclass
class Received:
    """A ping."""

    kind: str
    at: datetime
    rid: str | None
    body: str
    exit_status: int | None = None


@dataclass
class Check:
    """A check of the project."""

    name: str = ""
    slug: str = ""
    tags: str = ""
    kind: str = "simple"
    timeout: int = 86_400
    grace: int = 3_600
    schedule: str = "* * * * *"
    tz: str = "UTC"
    channels: str = ""
    manual_resume: bool = False
    status: str = "new"
    uuid: str = field(default_factory=lambda: str(uuid4()))
    last_ping: datetime | None = None
    last_start: datetime | None = None
    last_start_rid: str | None = None
    pings: list[Received] = field(default_factory=list)

    def status_at(self, now: datetime) -> str:
        """Whether it is `up`, `down`, `new` or `paused`; of the schedules, only a period is known here."""
        if self.last_start and now >= self.last_start + timedelta(seconds=self.grace):
            return "down"
        if self.status in {"new", "paused", "down"} or self.last_ping is None or self.kind != "simple":
            return self.status
        return "down" if now >= self.last_ping + timedelta(seconds=self.timeout + self.grace) else "up"

    def ping(self, action: str, now: datetime, rid: str | None, body: str, exit_status: int | None) -> None:
        """Take a ping."""
        if self.status == "paused" and self.manual_resume:
            action = "ign"
        if action == "start":
            self.last_start, self.last_start_rid = now, rid
        elif action in {"success", "fail"}:
            self.last_ping = now
            if self.last_start and (self.last_start_rid == rid or action == "fail" or rid is None):
                self.last_start = None
            self.status = "down" if action == "fail" else "up"
        self.pings.append(Received(action, now, rid, body, exit_status))

    def to_json(self, now: datetime) -> dict[str, Any]:
        """What the API says of it."""
        own = ("name", "slug", "tags", "grace", "channels", "manual_resume", "uuid")
        times = {"timeout": self.timeout} if self.kind == "simple" else {"schedule": self.schedule, "tz": self.tz}
        return {name: getattr(self, name) for name in own} | times | {"status": self.status_at(now), "desc": ""}

    def change(self, values: dict[str, Any]) -> None:
        """Take values of the API."""
        for name in (*TEXTS, "timeout", "grace", "manual_resume"):
            if name in values and name != "desc":
                setattr(self, name, values[name])
        if values.get("schedule"):
            single = "\n" not in values["schedule"].strip() and len(values["schedule"].split()) == 5
            self.kind = "cron" if single else "oncalendar"
        elif values.get("timeout"):
            self.kind = "simple"


class Healthchecks:
    """The server; `now` is its clock, and `answer` what it answers instead, if it is to fail."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.checks: list[Check] = []
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.answer: int | None = None
        self.writes: list[tuple[str, dict[str, Any]]] = []  # path and values of each change by the API
        self.check_ins: list[tuple[str, dict[str, Any]]] = []  # path and body of each one, as Sentry would get it

    def add(self, **values: Any) -> Check:
        """A check that somebody has created there."""
        check = Check()
        check.change(values)
        self.checks.append(check)
        return check

    def by_slug(self, slug: str) -> Check:
        """The one check with a slug."""
        [check] = [check for check in self.checks if check.slug == slug]
        return check

    def pinged(self, path: str, query: dict[str, list[str]], body: str) -> Answer:
        """Take a request of the pinging API."""
        match = _PING.fullmatch(path)
        if not match:
            return 404, "not found"
        uuid, key, slug, action = match.groups()
        found = [check for check in self.checks if check.uuid == uuid or (key == PING_KEY and check.slug == slug)]
        if not found and key == PING_KEY and query.get("create") == ["1"]:
            found = [self.add(name=slug, slug=slug, channels="*")]
        if not found:
            return 404, "not found"
        if len(found) > 1:
            return 409, "ambiguous slug"
        exit_status = int(action) if action and action.isdecimal() else None
        if exit_status is not None:
            if exit_status > 255:
                return 400, "invalid url format"
            action = "fail" if exit_status else "success"
        rid = query.get("rid", [None])[0]
        if rid is not None and str(UUID(rid)) != rid:
            return 400, "invalid uuid format"
        found[0].ping(action or "success", self.now(), rid, body, exit_status)
        return 200, "OK"

    def managed(self, method: str, path: str, key: str, body: str) -> Answer:
        """Take a request of the Management API."""
        if "/cron/" in path:
            self.check_ins.append((path, json.loads(body)))
            return 202, {}
        if key != API_KEY:
            return 401, {"error": "wrong api key"}
        if (method, path) == ("GET", "/api/v3/checks/"):
            return 200, {"checks": [check.to_json(self.now()) for check in self.checks]}
        values = json.loads(body or "{}")
        if problem := _problem(values):
            return 400, {"error": f"json validation error: {problem}"}
        match = _CHECK.fullmatch(path)
        found = [check for check in self.checks if match and check.uuid == match[1]]
        if (method, path) == ("POST", "/api/v3/checks/"):
            names = values.get("unique", [])
            found = [
                check for check in self.checks if names and all(getattr(check, name) == values[name] for name in names)
            ]
            check = found[0] if found else self.add()
        elif method == "POST" and match and found:
            check = found[0]
            if match[2]:
                check.status = "paused" if match[2] == "pause" else "new"
        else:
            return 404, {"error": "not found"}
        check.change(values)
        self.writes.append((path, values))
        return 200 if found else 201, check.to_json(self.now())


def _problem(values: dict[str, Any]) -> str:
    for name, value in values.items():
        if name in TEXTS and not isinstance(value, str):
            return f"{name} is not a string"
        if len(str(value)) > LENGTHS.get(name, 10_000):
            return f"{name} is too long"
        low, high = BOUNDS.get(name, (0, 0))
        if name in BOUNDS and (not isinstance(value, int) or not low <= value <= high):
            return f"{name} is too {'small' if value < low else 'large'}"
        if name == "slug" and not re.fullmatch("[a-z0-9-_]*", value):
            return "slug does not match pattern"
    return ""


@contextmanager
def healthchecks() -> Iterator[Healthchecks]:
    """A server that runs until the block ends."""
    service: Healthchecks

    def take(request: Request) -> Answer:
        parts = urlsplit(request.path)
        if service.answer:
            return service.answer, "as the test wants"
        if parts.path.startswith("/api/"):
            return service.managed(request.method, parts.path, request.headers.get("X-Api-Key", ""), request.body)
        return service.pinged(parts.path, parse_qs(parts.query), request.body)

    with http_server(take) as url:
        service = Healthchecks(url)
        yield service
