"""What the sender of notices tells monitors outside, after its notices: pings of runs, and the dead man's switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduled_tasks.alert.outside import dead_man, pings

if TYPE_CHECKING:
    from datetime import datetime

    from scheduled_tasks.alert.routes import NotifySettings
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.run.settings import Settings


def is_due(connection: Connection, notify: NotifySettings, host: str, now: datetime) -> bool:
    """Whether the sender has something to tell a monitor outside."""
    return pings.is_due(connection, now) or (bool(notify.heartbeat) and dead_man.is_due(connection, host, now))


def send(connection: Connection, settings: Settings, notify: NotifySettings, host: str, now: datetime) -> list[str]:
    """Send what is due; return what went wrong, a line for each. The switch comes last: it vouches for the rest."""
    problems = pings.send_pings(connection, settings, now)
    return [*problems, *filter(None, [dead_man.ping(connection, settings, notify, host, now)])]
