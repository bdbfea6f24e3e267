"""Serve the page in the foreground, on a port of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.applications import Starlette

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8765


def serve(app: Starlette, port: int) -> None:
    """Serve until the process is stopped.

    Raises:
        SystemExit: the port is taken; uvicorn has said so.
    """
    import uvicorn

    uvicorn.run(
        app,
        host=LOOPBACK,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=16_384,
        http="h11",
        timeout_graceful_shutdown=2,
        proxy_headers=False,
    )
