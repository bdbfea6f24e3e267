"""The page's gate, as ASGI middleware: who asks, may they, does the form come from this page, not too often.

What passes has `scope["state"]["actor"]`, in Starlette `request.state.actor`. Whether the actor may act on a clock is
the endpoint's question, because only it knows which clock a form is about.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from scheduled_tasks.page.access import forgery
from scheduled_tasks.page.access.actor import actor_of
from scheduled_tasks.page.access.authenticate import SECRET_HEADER, Came, Refused, identify
from scheduled_tasks.page.access.rates import Rate

if TYPE_CHECKING:
    from collections.abc import Collection

    from scheduled_tasks.page.access.actor import Identity
    from scheduled_tasks.page.access.settings import AccessSettings, Token

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
KnownTokens = Callable[[], "tuple[Token, ...]"]

MAX_BODY = 65_536  # bytes of a form
READS, ACTIONS = (300, 10.0), (20, 1 / 3)  # of an actor: at once, and a second after that
UNLIMITED = "unlimited"  # in the state of a request of this process itself, which no client can write
METHODS = {"GET", "HEAD", "POST"}
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
ONCE = {"authorization", "host", "origin", "sec-fetch-site", "content-type", forgery.HEADER, SECRET_HEADER}


class AccessMiddleware:
    """Lets pass only requests of known people, and of their forms only this page's own.

    Args:
        app: the application.
        settings: who is who, and who may what.
        public: paths, or beginnings that end in a slash, for which nobody has to be known, such as style sheets.

    Attributes:
        known_tokens: reads the tokens of the database, in a thread; None for none.
    """

    known_tokens: KnownTokens | None = None

    def __init__(
        self, app: App, settings: AccessSettings, public: Collection[str] = ("/static/", "/favicon.ico")
    ) -> None:
        self.app, self.settings, self.public = app, settings, public
        self.reads, self.actions = Rate(*READS), Rate(*ACTIONS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page has no websockets
            return
        try:
            receive = await self._admit(scope, receive)
        except Refused as refused:
            await self.refuse(scope, send, refused)
            return
        await self.app(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        """Put the actor into the request's state; return what the application receives.

        Raises:
            Refused: it is not answered.
        """
        if scope["method"] not in METHODS:
            raise Refused(405, "only GET and POST")
        is_action = scope["method"] not in forgery.SAFE_METHODS
        if not is_action and self._is_public(scope["path"]):
            return receive
        headers = self._headers(scope)
        state = scope.setdefault("state", {})
        client = scope.get("client")
        came = Came(headers, state.get("peer"), client[0] if client and not state.get("peer") else "")
        tokens: tuple[Token, ...] = ()
        if self.known_tokens and "authorization" in headers:
            tokens = await asyncio.to_thread(self.known_tokens)
        identity = self.identify(came, tokens)
        if identity is None:
            raise Refused(401, "it is not known who you are")
        csrf = forgery.token_of(identity, self.settings.key)
        state["actor"] = actor_of(identity, self.settings.authority, csrf)
        rate = self.actions if is_action else self.reads
        if not state.get(UNLIMITED) and (seconds := rate.wait(identity.name, time.monotonic())):
            raise TooOften(seconds)
        return await self._checked(identity, csrf, headers, receive) if is_action else receive

    async def refuse(self, scope: Scope, send: Send, refused: Refused) -> None:  # noqa: ARG002 - a subclass needs it
        """Say why a request is not answered."""
        await _answer(send, refused)

    def identify(self, came: Came, tokens: tuple[Token, ...]) -> Identity | None:
        """Whose a request is; `tokens` are those of the database."""
        return identify(came, self.settings, datetime.now(UTC), tokens)

    def _is_public(self, path: str) -> bool:
        return any(path == public or (public.endswith("/") and path.startswith(public)) for public in self.public)

    def _headers(self, scope: Scope) -> dict[str, str]:
        headers: dict[str, str] = {}
        proxy = self.settings.proxy
        once = ONCE | ({proxy.user_header, proxy.groups_header} if proxy else set())
        for raw_name, raw_value in scope["headers"]:
            # Some servers before this one take - and _ for the same. So neither passes a second header, nor one that a
            # proxy removes with the other.
            written = raw_name.decode("latin-1").lower()
            name = written.replace("_", "-")
            if name in headers and name in once:
                raise Refused(400, f"the header {name} comes twice")
            if name in once and name != written:
                raise Refused(403, f"the header {name} is written with _")
            headers[name] = raw_value.decode("latin-1")
        return headers

    async def _checked(self, identity: Identity, csrf: str, headers: dict[str, str], receive: Receive) -> Receive:
        """Refuse a form that isn't this page's own; return what the application receives: the form's body again."""
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != FORM and not (kind == JSON and not identity.is_browser):
            raise Refused(415, f"a form is sent as {FORM}")
        forgery.require_same_site(headers)
        body = await _body(receive)
        if identity.is_browser:
            try:
                fields = parse_qs(body.decode("latin-1"), max_num_fields=100)
            except ValueError:
                raise Refused(400, "the form has too many fields") from None
            sent = headers.get(forgery.HEADER) or fields.get(forgery.FIELD, [""])[0]
            forgery.require_token(sent, csrf)
        return _replay(body, receive)


class TooOften(Refused):
    """An actor does too much at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = math.ceil(seconds)
        super().__init__(429, f"too often: wait {self.seconds} s")


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the form is not whole")
        body += bytes(message.get("body", b""))
        if len(body) > MAX_BODY:
            raise Refused(413, "the form is too long")
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


async def _answer(send: Send, refused: Refused) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    if refused.status == 401:  # noqa: PLR2004 - RFC 9110 requires the header
        headers.append((b"www-authenticate", b'Bearer realm="clocks"'))
    if isinstance(refused, TooOften):
        headers.append((b"retry-after", str(refused.seconds).encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{refused.why}\n".encode()})
