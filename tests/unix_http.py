"""HTTP on a unix socket: a client in this process, one for another process or machine, and a server in a thread."""

from __future__ import annotations

import http.client
import socket
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import uvicorn

from scheduled_tasks.page.access.peer_protocol import PeerProtocol
from tests.machine.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A program whose arguments are the socket's path and a list of headers in JSON. It sends a request with each on one
# connection, and prints each answer's status and body, and the seconds it took.
CLIENT = """
import http.client, json, socket, sys, time
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])
connection = Connection("localhost")
answers = []
for headers in json.loads(sys.argv[2]):
    began = time.monotonic()
    connection.request("GET", "/", headers=headers)
    answer = connection.getresponse()
    answers.append([answer.status, answer.read().decode(), time.monotonic() - began])
print(json.dumps(answers))
"""


class UnixConnection(http.client.HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


@contextmanager
def served_on(path: Path, app: Any) -> Iterator[None]:
    """An application on a unix socket, which sees whose process is at the other end, until the end of the block."""
    config = uvicorn.Config(app, http=PeerProtocol, proxy_headers=False, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            wait_for("the server", lambda: server.started)
            yield
        finally:
            server.should_exit = True
            thread.join()
