"""uvicorn's HTTP protocol, which also says whose process is at the other end of a unix socket."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

from scheduled_tasks.page.access.authenticate import Peer

if TYPE_CHECKING:
    import asyncio

CREDENTIALS = struct.Struct("3i")  # struct ucred, unix(7)


class PeerProtocol(H11Protocol):
    """Puts the peer of a unix socket into each request's state: `uvicorn.Config(http=PeerProtocol)`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Ask the kernel whose the connection is."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family == socket.AF_UNIX:
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
            self.app_state = {**self.app_state, "peer": Peer(*CREDENTIALS.unpack(raw))}
