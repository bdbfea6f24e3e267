"""Test routes: send a test message by each, and say what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from scheduled_tasks.alert.delivery import DeliveryError, deliver
from scheduled_tasks.alert.message.message import Message

if TYPE_CHECKING:
    from scheduled_tasks.alert.routes import Route


@dataclass(frozen=True)
class Tried:
    """What came of a test.

    Attributes:
        route: its name.
        kind: the route's kind.
        sent: whether the message was accepted.
        problem: why not, or what went wrong all the same; "" for nothing.
        seconds: that it took.
    """

    route: str
    kind: str
    sent: bool
    problem: str
    seconds: float


def try_route(route: Route, host: str, by: str) -> Tried:
    """Send a test message by a route, from a host and in somebody's name."""
    began = time.monotonic()
    try:
        problem, sent = deliver(route, test_message(route, host, by)), True
    except DeliveryError as error:
        problem, sent = str(error), False
    return Tried(route.name, route.kind, sent, problem, round(time.monotonic() - began, 3))


def test_message(route: Route, host: str, by: str) -> Message:
    """The message of a test."""
    subject = f"Test of the route {route.name}, from {host}"
    text = f"{by} has tested the route {route.name} from {host}. Notices of jobs will come this way.\n"
    return Message(uuid4(), "test", "ok", subject, text, "", datetime.now(UTC))
