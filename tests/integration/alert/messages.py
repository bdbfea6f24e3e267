"""A message as the tests of delivery send it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from scheduled_tasks.alert.endpoints import Endpoint
from scheduled_tasks.alert.message.message import Message
from scheduled_tasks.alert.routes import Route

ID = UUID("018f3c6e-1b2a-4c3d-9e4f-5a6b7c8d9e0f")
SUBJECT = "booking/cancel failed, 3rd in a row"
TEXT = "The disk is full ☠\nclocks show 3f2a8c91\n"
INCIDENT: dict[str, Any] = {
    "id": 42, "kind": "failing", "clock": "booking", "job": "cancel", "host": None, "owner": "data",
    "task": "booking.cancel", "opened_at": "2026-11-24T06:00:10Z", "first_at": "2026-11-24T04:00:00Z",
    "last_at": "2026-11-24T06:00:00Z", "closed_at": None, "bad": 3, "missed": 0, "reason": "OSError: the disk is full",
    "zone": "Europe/Paris", "run": None, "last_good_at": None, "next_run": None, "changes": [], "means": None,
    "commands": ["clocks show 3f2a8c91"], "log_lines": [], "runbook": "https://wiki.example.org/disk", "page": None,
}  # fmt: skip
DATA: dict[str, Any] = {
    "version": 1, "id": str(ID), "what": "opened", "severity": "critical", "subject": SUBJECT, "text": TEXT,
    "sent_at": "2026-11-24T06:00:11Z", "incidents": [INCIDENT],
}  # fmt: skip
MESSAGE = Message(
    id=ID, what="opened", severity="critical", subject=SUBJECT, text=TEXT, html="<p>The disk is full ☠</p>",
    sent_at=datetime(2026, 11, 24, 6, 0, 11, tzinfo=UTC), incidents=[INCIDENT],
)  # fmt: skip


def route(kind: str, url: str, **more: Any) -> Route:
    """A route to a URL."""
    if kind == "mail":
        more = {"to": ("ops@example.org",), "sender": "Clocks <clocks@example.org>", **more}
    return Route(name="ops", kind=kind, endpoint=Endpoint(url=url), **more)
