"""A page on a socket that systemd passes, for test_serve_socket.py; its argument is its idle time in seconds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from scheduled_tasks.page.access import configured, gate
from scheduled_tasks.page.serve_socket import passed_socket, serve_on

if TYPE_CHECKING:
    from starlette.requests import Request


def who(request: Request) -> PlainTextResponse:
    """Say who asks."""
    return PlainTextResponse(request.state.actor.name)


if __name__ == "__main__":
    app = Starlette(routes=[Route("/", who)])
    app.add_middleware(gate, settings=configured({}, "a secret"))
    serve_on(app, passed_socket(), idle=float(sys.argv[1]))
