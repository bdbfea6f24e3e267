"""Listen for requests to this host, so that its watch need not wait for the next minute. Opt-in: `listen = true`.

It reads no request: it starts the watch, which takes them. What is not heard is taken a minute later, so nothing is
lost with the connection. Each PostgreSQL role can notify, so the starts are bounded.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from scheduled_tasks.deploy import systemd
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.render.names import WATCH

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduled_tasks.run.database import Connection

CHANNEL = "scheduled_tasks"  # migrations/0007
CHECK_INTERVAL = 5.0  # seconds after which it looks whether it is to go on
MAX_STARTS, MAX_STARTS_IN = 10, 60.0  # starts of the watch, in so many seconds; the timer starts it then
POLL_INTERVAL = 0.1  # seconds


def listen(
    connection: Connection,
    host: str,
    wake: Callable[[], None],
    goes_on: Callable[[], bool],
    *,
    check_interval: float = CHECK_INTERVAL,
) -> None:
    """Wake the watch whenever this host is asked for something.

    Args:
        connection: of its own, in autocommit mode; that it is lost is an OperationalError.
        host: this host.
        wake: starts the watch.
        goes_on: whether to listen on.
        check_interval: how often that is asked, in seconds.
    """
    connection.execute(f"LISTEN {CHANNEL}")
    starts: deque[float] = deque(maxlen=MAX_STARTS)
    while goes_on():
        told = {notice.payload for notice in connection.notifies(timeout=check_interval, stop_after=1)}
        # What came with it, or while the watch was being started, needs no start of its own.
        told |= {notice.payload for notice in connection.notifies(timeout=0)}
        if not told & {"asked", f"asked {host}"}:
            continue
        now = time.monotonic()
        if len(starts) == MAX_STARTS and now - starts[0] < MAX_STARTS_IN:
            continue
        starts.append(now)
        wake()


def start_watch() -> None:
    """Start the watch; if it is running, when that pass is over: it may have looked for requests already.

    Raises:
        SystemdError: systemd refused.
    """
    while systemd.is_busy(systemd.show("ActiveState,Job", WATCH)[0]):
        time.sleep(POLL_INTERVAL)
    Effects().systemctl("start", [WATCH], "--no-block")
