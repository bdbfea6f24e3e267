"""Answer scrapes over HTTP, on the loopback interface only: there is no authentication.

`make_server` takes an address and a function that returns the text of a scrape. An answer also has the metrics of this
process itself, by prometheus-client. The ledger's own don't go through that library: docs/decisions/0033-metrics.md.
"""

from __future__ import annotations

import gzip
import ipaddress
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from scheduled_tasks.errors import UsageError
from scheduled_tasks.metrics.exposition import CONTENT_TYPE

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PATH = "/metrics"
_FAST = 1  # gzip's level: text of metrics becomes a tenth even so


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int


class Answer(NamedTuple):
    """The text of a scrape, and whether the ledger could be read for it."""

    text: str
    is_complete: bool = True


def read_address(text: str) -> Address:
    """Read ADDRESS:PORT.

    Raises:
        UsageError: it is something else, or others than this machine could reach it.
    """
    host, _, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
        number = int(port)
    except ValueError:
        raise UsageError(f"--listen {text}: write ADDRESS:PORT, such as 127.0.0.1:9411") from None
    if not is_loopback:
        raise UsageError(
            f"--listen {text}: anybody who reaches this address could read it: write 127.0.0.1:{port}, and let a proxy"
            " that asks for a password pass scrapes on"
        )
    return Address(host, number)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Write no line for each scrape."""


def make_server(address: Address, scrape: Callable[[], Answer]) -> WSGIServer:
    """A server that listens already; the caller lets it serve.

    Args:
        address: where.
        scrape: called for each scrape, by several threads.

    Raises:
        UsageError: the address is in use, or isn't this machine's.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)

    def answer(environment: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environment["PATH_INFO"] != PATH:
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"the metrics are at {PATH}\n".encode()]
        text, is_complete = scrape()
        body = text.encode() + generate_latest(registry)
        headers = [("Content-Type", CONTENT_TYPE)]
        if "gzip" in environment.get("HTTP_ACCEPT_ENCODING", ""):
            body = gzip.compress(body, _FAST)
            headers.append(("Content-Encoding", "gzip"))
        status = HTTPStatus.OK if is_complete else HTTPStatus.SERVICE_UNAVAILABLE  # a scraper then shows `up` 0
        start_response(f"{status.value} {status.phrase}", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    kind = _ServerV6 if ":" in address.host else _Server
    try:
        server = kind((address.host, address.port), _QuietHandler)
    except OSError as error:
        raise UsageError(f"can't listen on {address.host}:{address.port}: {error.strerror}") from error
    server.set_app(answer)
    return server
