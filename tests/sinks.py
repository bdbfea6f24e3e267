"""Servers that keep what they are sent: a mail server and a web server, both on loopback ports of their own."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import EmailMessage

USER, PASSWORD = "ops@example.org", "s3cret-of-the-mail-server"


@dataclass
class MailServer:
    """A mail server.

    Attributes:
        port: on 127.0.0.1.
        mails: what it accepted, oldest first.
        recipients: of each mail, the addresses of its envelope.
        logins: how often somebody logged in.
        encrypted: of each mail, whether it came by TLS.
        refuses: replies by recipient; "*" for the whole text of a mail.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: int = 0
    encrypted: list[bool] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Accept a recipient, or refuse it."""
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Keep a mail."""
        if "*" in self.refuses:
            return self.refuses["*"]
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, login: Any) -> AuthResult:
        """Check a login."""
        assert isinstance(login, LoginPassword)
        is_right = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
        self.logins += is_right
        return AuthResult(success=is_right, handled=False)


@contextmanager
def mail_server(host: str = "127.0.0.1", **settings: Any) -> Iterator[MailServer]:
    """A mail server until the end of the block; the settings are aiosmtpd's."""
    with socket.create_server((host, 0)) as free:
        server = MailServer(free.getsockname()[1])
    controller = Controller(server, hostname=host, port=server.port, authenticator=server.authenticate, **settings)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@dataclass(frozen=True)
class Posted:
    """A request to the web server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


@dataclass
class WebServer:
    """A web server.

    Attributes:
        url: of its root.
        requests: what it was sent, oldest first.
        answers: what to answer next, in order: (status, headers, body); then 200.
    """

    url: str = ""
    requests: list[Posted] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def web_server(
    *, on_request: Callable[[Posted], object] = lambda _: None, tls: ssl.SSLContext | None = None
) -> Iterator[WebServer]:
    """A web server until the end of the block; `on_request` is called before each answer."""
    server = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            posted = Posted(self.command, self.path, dict(self.headers.items()), body)
            on_request(posted)
            server.requests.append(posted)
            status, headers, text = server.answers.pop(0) if server.answers else (200, {}, b"")
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            with suppress(ConnectionError):  # a client that waited long enough
                self.end_headers()
                self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_HEAD = answer  # noqa: N815 - http.server's names

        def log_message(self, *_arguments: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        listening.socket = tls.wrap_socket(listening.socket, server_side=True)
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
