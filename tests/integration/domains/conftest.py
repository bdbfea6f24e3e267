"""What the tests of the worked example share: its application, its flags switched on, the services that it asks.

The services are a real HTTP server of the test's own, which speaks their documented requests and, where a test says
so, fails as services do.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import stamina

from scheduled_tasks.domains.application import Application, create_app
from scheduled_tasks.domains.features import FeatureToggle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg


@pytest.fixture(autouse=True)
def _flags(connection: psycopg.Connection[Any]) -> None:
    for feature in FeatureToggle:
        connection.execute(
            "INSERT INTO feature (name, is_active, updated_by) VALUES (%s, true, 'test')", [feature.name]
        )


@pytest.fixture
def app(database_url: str) -> Iterator[Application]:
    with create_app() as application:
        yield application


@pytest.fixture
def rows(connection: psycopg.Connection[Any]) -> Callable[[str], list[tuple[Any, ...]]]:
    """Executes a statement and gives its rows."""

    def execute(statement: str) -> list[tuple[Any, ...]]:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    return execute


@dataclass
class Fault:
    """An answer instead of the right one; `hang`: none at all while the test lasts."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False


@dataclass
class Services:
    """The state of the services, set and read by tests.

    `faults` are answered to the next requests whose path contains their key, one a request; `index` is what the
    search service holds; `before_batch` is called when it gets a batch.
    """

    url: str
    stocks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    products: list[dict[str, Any]] = field(default_factory=list)
    page: int = 2
    index: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    batches: list[list[tuple[str, str]]] = field(default_factory=list)
    before_batch: Callable[[], None] = lambda: None
    over: Event = field(default_factory=Event)

    def fail(self, path: str, *, times: int = 1, **fault: Any) -> None:
        self.faults.setdefault(path, deque()).extend(Fault(**fault) for _ in range(times))

    def next_fault(self, path: str) -> Fault | None:
        return next((faults.popleft() for key, faults in self.faults.items() if key in path and faults), None)

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes, headers: Any) -> tuple[int, object]:
        match method, path.strip("/").split("/"):
            case "GET", ["stocks", siret] if siret in self.stocks:
                return 200, self._page("stocks", self.stocks[siret], query)
            case "GET", ["products"]:
                return 200, self._page("products", self.products, query)
            case "POST", ["1", "indexes", "offers", "batch"]:
                if (headers["X-Algolia-Application-Id"], headers["X-Algolia-API-Key"]) != ("APP", "secret-key"):
                    return 403, {"message": "Invalid Application-ID or API key", "status": 403}
                return self._batch(json.loads(body)["requests"])
        return 404, {"message": "not found"}

    def _page(self, key: str, entries: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        places = {entry["ref"]: place for place, entry in enumerate(entries, 1)}
        start = places[query["after"]] if "after" in query else 0
        limit = min(self.page, int(query["limit"]))
        return {"total": len(entries), "limit": limit, "offset": start, key: entries[start : start + limit]}

    def _batch(self, requests: list[dict[str, Any]]) -> tuple[int, object]:
        self.before_batch()
        self.batches.append([(request["action"], request["body"]["objectID"]) for request in requests])
        for position, request in enumerate(requests):
            if request["body"].get("name") == "too big":
                object_id = request["body"]["objectID"]
                message = f"Record at the position {position} objectID={object_id} is too big"
                return 400, {"message": message, "position": position, "objectID": object_id, "status": 400}
        for request in requests:
            match request["action"]:
                case "updateObject":
                    self.index[request["body"]["objectID"]] = request["body"]
                case "deleteObject":
                    self.index.pop(request["body"]["objectID"], None)
        return 200, {"taskID": len(self.batches), "objectIDs": [request["body"]["objectID"] for request in requests]}


def _handler(services: Services) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            services.requests.append((self.command, parts.path, query))
            if (fault := services.next_fault(parts.path)) is None:
                status, content = services.answer(self.command, parts.path, query, body, self.headers)
                fault = Fault(status, json.dumps(content), {"Content-Type": "application/json"})
            if fault.hang:
                services.over.wait()
                self.close_connection = True
                return
            self.send_response(fault.status)
            for name, value in fault.headers.items():
                self.send_header(name, value)
            data = fault.body.encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 - http.server's own names

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """The services on a port of their own; the settings say where. Attempts follow each other without a pause."""
    services = Services("")
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(services)) as server:
        services.url = f"http://127.0.0.1:{server.server_port}"
        settings = {
            "TITELIVE_URL": services.url,
            "ALGOLIA_URL": services.url,
            "ALGOLIA_APP_ID": "APP",
            "ALGOLIA_API_KEY": "secret-key",
            "HTTP_TIMEOUT": "5",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with stamina.set_testing(True, attempts=100, cap=True):  # at most as many as the service allows itself
                yield services
        finally:
            services.over.set()
            server.shutdown()
            thread.join()
