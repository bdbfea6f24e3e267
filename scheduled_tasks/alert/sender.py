"""Send what is due: each message is taken from the outbox, composed, delivered by its route, and recorded.

One message at a time: a sender that is killed leaves at most one of which nobody knows whether it was delivered. It is
sent again, with the same id. Runs in clock-notify.service, which the watch and the failure service start.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduled_tasks.alert import outbox
from scheduled_tasks.alert.delivery import DeliveryError, alertmanager, deliver
from scheduled_tasks.alert.incidents import What
from scheduled_tasks.alert.message.compose import compose
from scheduled_tasks.deploy import start_requests
from scheduled_tasks.render import names

if TYPE_CHECKING:
    from scheduled_tasks.alert.incidents import Delivery
    from scheduled_tasks.alert.routes import NotifySettings
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.run.database import Connection

# Since a run's end: its host stores its log lines in a moment, but on a busy host in half a minute. A message waits no
# longer for them.
LINES_WITHIN = timedelta(seconds=60)
POLL_INTERVAL = 0.5  # seconds
MAX_SECONDS = 480.0  # of one start: the unit has ten minutes, and the watch starts it again


@dataclass
class Sent:
    """What was sent: a line for each message that was accepted, and for each problem."""

    messages: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, later: Sent) -> None:
        """Add what was sent later."""
        self.messages += later.messages
        self.problems += later.problems


def send_due(connection: Connection, settings: NotifySettings, now: Callable[[], datetime]) -> Sent:
    """Send all messages that are due, and post open incidents to Alertmanager.

    Args:
        connection: on which each statement is a transaction of its own.
        settings: of this host.
        now: returns the database's time.

    Raises:
        psycopg.Error: the database is lost.
    """
    done = Sent()
    try:
        alertmanager.post_open(connection, settings, now())
    except DeliveryError as error:
        done.problems.append(f"alertmanager: {error}")
    ends = time.monotonic() + MAX_SECONDS
    while time.monotonic() < ends:
        taken = outbox.take(
            connection, now(), 1, default=settings.default, fallback=settings.fallback, known=settings.routes
        )
        for delivery in taken:
            _send(connection, settings, delivery, now, done)
        if not taken and not _wait_for_next(connection, now()):
            break
    return done


def _send(
    connection: Connection, settings: NotifySettings, delivery: Delivery, now: Callable[[], datetime], done: Sent
) -> None:
    name = delivery.route
    try:
        if name not in settings.routes:
            raise DeliveryError(f"[notify] of this host has no route {name}", is_permanent=True)  # noqa: TRY301
        _wait_for_lines(connection, delivery, now)
        message = compose(connection, delivery, settings, now())
        problem = deliver(settings.routes[name], message)
    except DeliveryError as error:
        done.problems.append(f"{name}: {error}")
        outbox.failed(connection, delivery, now(), str(error), is_permanent=error.is_permanent)
    except Exception as error:
        if connection.closed:
            raise
        # A message that can't be composed must not keep the others.
        done.problems.append(f"{name}: {type(error).__name__}: {error}")
        outbox.failed(connection, delivery, now(), f"{type(error).__name__}: {error}")
    else:
        outbox.sent(connection, delivery, now())
        done.messages.append(f"{name}: {message.subject}")
        if problem:
            done.problems.append(f"{name}: {problem}")


def _wait_for_lines(connection: Connection, delivery: Delivery, now: Callable[[], datetime]) -> None:
    """Wait until the log lines that a message will have are stored, if that is soon."""
    pending = "SELECT FROM run_log WHERE run_id = ANY (%s) AND captured_at IS NULL AND requested_at > %s"
    runs = [incident.run_id for incident in delivery.incidents]
    while delivery.what is What.OPENED and connection.execute(pending, [runs, now() - LINES_WITHIN]).rowcount:
        time.sleep(POLL_INTERVAL)


def _wait_for_next(connection: Connection, now: datetime) -> bool:
    """Wait until the next notice is due, if that is soon; whether there is one. A later start sends later ones."""
    due_at = outbox.next_due(connection)
    if due_at is None or due_at - now > outbox.SOON:
        return False
    time.sleep(max(0.0, (due_at - now).total_seconds()))
    return True


def is_due(connection: Connection, settings: NotifySettings, now: datetime) -> bool:
    """Whether there is something to send."""
    return outbox.is_due(connection, now) or alertmanager.is_due(connection, settings, now)


def start(places: Places) -> bool:
    """Start the sender of this machine, without waiting for it; whether its current set has one.

    Raises:
        StartError: systemd refused.
    """
    if not places.has_sender:
        return False
    start_requests.start([names.NOTIFY])
    return True
