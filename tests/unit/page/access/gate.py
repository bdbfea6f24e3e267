"""Requests to the page's gate, before an application that says who it is and what came through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scheduled_tasks.page.access import AccessMiddleware, AccessSettings, configured
from scheduled_tasks.page.access.authenticate import Peer
from scheduled_tasks.page.access.settings import hash_of

SECRET = "postgresql://page:sw0rdfish@db/shop"
TOKEN = "st_0123456789abcdef0123456789abcdef"
TABLE: dict[str, Any] = {
    "admins": ["root", "@ops"],
    "clock_operators": {"booking": ["bert", "@booking"]},
    "owner_operators": {"data": ["@data"]},
    "proxy": {
        "user_header": "X-Forwarded-User", "groups_header": "X-Forwarded-Groups", "users": ["www-data"],
        "addresses": ["10.0.0.5", "fd00::/64"],
    },
    "tokens": {"ci": {"sha256": hash_of(TOKEN), "groups": ["booking"], "until": datetime(2099, 1, 1, tzinfo=UTC)}},
}  # fmt: skip


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a thread: in the main one, a browser test that came before keeps its event loop running."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(asyncio.run, coroutine).result()


def settings(**changed: Any) -> AccessSettings:
    return configured({**TABLE, **changed}, SECRET, proxy_secret="between us")


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def actor(self) -> dict[str, Any]:
        assert self.status == 200, self
        parsed: dict[str, Any] = json.loads(self.text)
        return parsed


async def _application(scope: Any, receive: Any, send: Any) -> None:
    actor = scope.get("state", {}).get("actor")
    body = (await receive())["body"] if scope["method"] == "POST" else b""
    said = {
        "name": actor.name if actor else None,
        "admin": actor.is_admin if actor else None,
        "clocks": sorted(actor.clocks) if actor else None,
        "owners": sorted(actor.owners) if actor else None,
        "csrf": actor.csrf if actor else None,
        "body": body.decode(),
    }
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


class Gate:
    """The middleware, as a client sees it."""

    def __init__(self, access: AccessSettings | None = None) -> None:
        self.middleware = AccessMiddleware(_application, access or settings())

    def ask(  # noqa: PLR0913 - all that a request has
        self,
        method: str = "GET",
        path: str = "/",
        *,
        peer: int | None = None,
        client: str = "",
        headers: Any = (),
        body: bytes = b"",
    ) -> Answer:
        """Send a request: over the unix socket as a user's number, or by TCP from an address."""
        pairs = headers.items() if isinstance(headers, dict) else headers
        scope = {
            "type": "http", "method": method, "path": path, "client": (client, 1234) if client else None,
            "headers": [(name.lower().encode(), value.encode()) for name, value in pairs],
            "state": {"peer": Peer(1, peer, peer)} if peer is not None else {},
        }  # fmt: skip
        parts = [{"type": "http.request", "body": body[:10], "more_body": True},
                 {"type": "http.request", "body": body[10:], "more_body": False}]  # fmt: skip
        answer = Answer()

        async def receive() -> Any:
            return parts.pop(0)

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.text += message["body"].decode()

        run(self.middleware(scope, receive, send))
        return answer

    def send_form(
        self, fields: str = "reason=x", *, peer: int = 0, headers: Any = (), csrf: str | None = None
    ) -> Answer:
        """Send a form over the unix socket, with the token of the page that the user sees."""
        token = self.ask(peer=peer).actor["csrf"] if csrf is None else csrf
        kind = {"Content-Type": "application/x-www-form-urlencoded", **dict(headers)}
        return self.ask("POST", "/act", peer=peer, headers=kind, body=f"{fields}&csrf={token}".encode())
