"""The dead man's switch: a URL outside that is pinged once a minute, as long as slots are judged and notices are sent.

The watch records that it has judged; the sender of notices, whose sandbox can reach the URL, pings it (decision 0030).
So silence outside means exactly that slots are no longer judged, or that nobody could be told.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from scheduled_tasks.alert import faults, outbox
from scheduled_tasks.alert.delivery.http import request
from scheduled_tasks.errors import ScheduledTasksError

if TYPE_CHECKING:
    from scheduled_tasks.alert.routes import NotifySettings
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.run.settings import Settings

PATIENCE = timedelta(minutes=5)  # the age of a judgement, of an account or of an unsent notice that stops the pings
TIMEOUT = 10.0  # seconds of a ping


def record_judged(connection: Connection, host: str, now: datetime) -> None:
    """Record that a host's watch has accounted for its slots and judged them, without an error."""
    connection.execute(
        "INSERT INTO dead_man AS known (host, judged_at) SELECT name, %(now)s FROM host WHERE name = %(host)s"
        " ON CONFLICT (host) DO UPDATE SET judged_at = greatest(known.judged_at, excluded.judged_at)",
        {"host": host, "now": now},
    )


def is_due(connection: Connection, host: str, now: datetime) -> bool:
    """Whether a host has judged since its last ping."""
    query = (
        "SELECT FROM dead_man WHERE host = %(host)s AND judged_at > %(now)s - %(patience)s"
        " AND judged_at > coalesce(pinged_at, '-infinity')"
    )
    return bool(connection.execute(query, {"host": host, "now": now, "patience": PATIENCE}).rowcount)


def ping(connection: Connection, settings: Settings, notify: NotifySettings, host: str, now: datetime) -> str:
    """Ping the switch if this host has judged since its last ping, and nothing speaks against it.

    Call it after the notices are sent, so that one which has just been sent doesn't count as unsent.

    Args:
        connection: on which each statement is a transaction of its own.
        settings: the configuration, which has the credential with the URL.
        notify: its checked table `[notify]`.
        host: whose watch it is; `{host}` in the URL stands for it.
        now: the database's time.

    Returns:
        Why it was not pinged; "" if it was, or if there is nothing to ping.
    """
    if not notify.heartbeat or not is_due(connection, host, now):
        return ""
    why = _objection(connection, now)
    if not why:
        try:
            url = notify.heartbeat.read(settings).replace("{host}", quote(host, safe=""))
            request(url, method="GET", timeout=TIMEOUT)
        except ScheduledTasksError as error:
            why = str(error)
    connection.execute(
        "UPDATE dead_man SET error = nullif(%(why)s, ''),"
        " pinged_at = CASE WHEN %(why)s = '' THEN judged_at ELSE pinged_at END WHERE host = %(host)s",
        {"why": why, "host": host},
    )
    return f"the dead man's switch was not pinged: {why}" if why else ""


def _objection(connection: Connection, now: datetime) -> str:
    """What is not as it should be, on any host: slots that nobody judges, or a notice that nobody could send."""
    if (age := faults.account_age(connection, now)) > PATIENCE:
        return f"slots were last accounted for {_minutes(age)} ago"
    if (age := outbox.oldest_unsent(connection, now)) > PATIENCE:
        return f"a notice could not be sent for {_minutes(age)}"
    return ""


def _minutes(age: timedelta) -> str:
    return f"{age // timedelta(minutes=1)} min"
