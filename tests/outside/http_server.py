"""An HTTP server on the loopback interface: each request goes to a function of the test, which answers it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

Answer = tuple[int, object]  # the status, and a text or what becomes JSON


class Request(NamedTuple):
    """A request."""

    method: str
    path: str
    headers: Message
    data: bytes

    @property
    def body(self) -> str:
        """Its body as a text."""
        return self.data.decode()


@contextmanager
def http_server(take: Callable[[Request], Answer]) -> Iterator[str]:
    """A server until the block ends; its URL, without a path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = take(Request(self.command, self.path, self.headers, data))
            text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - the base class's name

        def log_message(self, *_: object) -> None:
            """Nothing: the output is pytest's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Webhook:
    """What receives the messages of a route: JSON, accepted unless `status` is an error."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[dict[str, Any]] = []
        self.status = 200

    def take(self, request: Request) -> Answer:
        """Take a message."""
        if self.status == 200:
            self.got.append(json.loads(request.body))
        return self.status, {}


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A receiver until the block ends."""
    receiver = Webhook()
    with http_server(receiver.take) as receiver.url:
        yield receiver
