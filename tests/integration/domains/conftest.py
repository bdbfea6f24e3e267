"""Shared by the tests of the worked example: its application, its active flags, the services that it calls.

The services are a real HTTP server of the test. It implements their documented requests, and fails as services do when
a test requests that.
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
    """Execute a statement and return its rows."""

    def execute(statement: str) -> list[tuple[Any, ...]]:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    return execute


@dataclass
class BadAnswer:
    """An answer in place of the correct one; with `hang`, no answer while the test lasts."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False


@dataclass
class Services:
    """The state of the services, set and read by tests.

    `bad_answers` answer the next requests whose path contains their key, one for each request; `index` is the content
    of the search index; `before_batch` is called before it receives a batch.
    """

    url: str
    stocks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    products: list[dict[str, Any]] = field(default_factory=list)
    page: int = 2
    index: dict[str, Any] = field(default_factory=dict)
    bad_answers: dict[str, deque[BadAnswer]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    batches: list[list[tuple[str, str]]] = field(default_factory=list)
    before_batch: Callable[[], None] = lambda: None
    over: Event = field(default_factory=Event)

    def fail(self, path: str, *, times: int = 1, **bad_answer: Any) -> None:
        self.bad_answers.setdefault(path, deque()).extend(BadAnswer(**bad_answer) for _ in range(times))

    def next_bad_answer(self, path: str) -> BadAnswer | None:
        return next((queue.popleft() for key, queue in self.bad_answers.items() if key in path and queue), None)

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
            if (bad_answer := services.next_bad_answer(parts.path)) is None:
                status, content = services.answer(self.command, parts.path, query, body, self.headers)
                bad_answer = BadAnswer(status, json.dumps(content), {"Content-Type": "application/json"})
            if bad_answer.hang:
                services.over.wait()
                self.close_connection = True
                return
            self.send_response(bad_answer.status)
            for name, value in bad_answer.headers.items():
                self.send_header(name, value)
            data = bad_answer.body.encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 - http.server's own names

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Start the services on a port of their own and set their URLs. Retries follow without a pause."""
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
            with stamina.set_testing(True, attempts=100, cap=True):  # the service's own limit is lower
                yield services
        finally:
            services.over.set()
            server.shutdown()
            thread.join()
