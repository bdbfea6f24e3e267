"""Serve the page on a unix socket, whose peer says who a reader is; and leave when nobody reads.

The socket is systemd's (socket activation, sd_listen_fds(3)), which starts the page again with the next reader, or one
that is made here.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import uvicorn

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.page.access.peer_protocol import PeerProtocol

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.applications import Starlette

IDLE_SECONDS = 900.0
FIRST_PASSED = 3  # SD_LISTEN_FDS_START
MODE = 0o660  # who can connect: the socket's user and group


class _IdleServer(uvicorn.Server):
    """Ends when nobody has been connected for a while; a page that is open stays connected."""

    def __init__(self, config: uvicorn.Config, idle: float) -> None:
        super().__init__(config)
        self._idle, self._used = idle, time.monotonic()

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; asked ten times a second."""
        if self.server_state.connections:
            self._used = time.monotonic()
        return await super().on_tick(counter) or time.monotonic() - self._used > self._idle


def serve_on(app: Starlette, listening: socket.socket, *, idle: float = IDLE_SECONDS) -> None:
    """Serve until nobody has been connected for `idle` seconds."""
    config = uvicorn.Config(
        app,
        http=PeerProtocol,
        proxy_headers=False,  # an address in a header is not whose request it is
        server_header=False,
        access_log=False,
        log_level="warning",
        h11_max_incomplete_event_size=16_384,
        timeout_graceful_shutdown=2,
    )
    _IdleServer(config, idle).run(sockets=[listening])


def passed_socket() -> socket.socket:
    """The socket that systemd has passed.

    Raises:
        ConfigurationError: it has passed none, or not one unix socket.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        raise ConfigurationError("systemd has passed no socket: start clocks-page.socket, or name a path")
    passed = socket.socket(fileno=FIRST_PASSED)
    if passed.family != socket.AF_UNIX:
        raise ConfigurationError("systemd has passed a socket that is no unix socket: nobody would know who connects")
    return passed


def new_socket(path: Path) -> socket.socket:
    """A socket of its own at a path, for its user and group; one that an earlier page has left there is replaced.

    Raises:
        ConfigurationError: something else is there.
    """
    if path.exists() and not path.is_socket():
        raise ConfigurationError(f"{path} is there already, and is no socket")
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o777 & ~MODE)
    try:
        listening.bind(str(path))
    finally:
        os.umask(mask)
    listening.listen()
    return listening
