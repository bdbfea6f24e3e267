"""The guide's nginx and Caddy, each by a password and with oauth2-proxy: who a reader is, whatever the reader says."""

from __future__ import annotations

import json
import os
import pwd
import socket
import ssl
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from scheduled_tasks.page.access import AccessMiddleware, configured
from tests.integration.page.proxied import NAME, PASSWORD, authenticator, caddy, certify, nginx
from tests.machine.waiting import wait_for
from tests.roots import lacking, require
from tests.unix_http import served_on

if TYPE_CHECKING:
    from collections.abc import Iterator

PROXIES = {"nginx": nginx, "caddy": caddy}


async def _application(scope: Any, _receive: Any, send: Any) -> None:
    actor = scope["state"]["actor"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps([actor.name, actor.is_admin]).encode()})


@contextmanager
def gate(path: Path, groups_header: str) -> Iterator[None]:
    """The page's gate on a unix socket, behind a proxy that this user runs; the group ops may act on everything."""
    proxy = {"user_header": "X-Forwarded-User", "groups_header": groups_header, "users": [pwd.getpwuid(os.getuid())[0]]}
    access = configured({"admins": ["@ops"], "proxy": proxy}, "a secret")
    with served_on(path, AccessMiddleware(_application, access)):
        yield


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: the path of a unix socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


class Reader:
    """A browser before the proxy, which trusts its certificate."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url, self.host = f"https://127.0.0.1:{port}/", f"{NAME}:{port}"
        context = ssl.create_default_context(cafile=f"{folder}/{NAME}.pem")
        self.client = httpx.Client(verify=context, timeout=60)

    def ask(self, method: str = "GET", **headers: str) -> httpx.Response:
        """Ask for the first screen; a header's name has __ for a hyphen."""
        named = {"Host": self.host} | {name.replace("__", "-"): value for name, value in headers.items()}
        content = b"a=form" if method == "POST" else None
        return self.client.request(method, self.url, headers=named, content=content, extensions={"sni_hostname": NAME})

    def answers(self) -> bool:
        """Whether anything listens there."""
        try:
            return bool(self.ask().status_code)
        except httpx.ConnectError:
            return False


@contextmanager
def reader(program: str, folder: Path, *, with_oauth2_proxy: bool) -> Iterator[Reader]:
    """A reader before the proxy and the gate."""
    require(lacking("a proxy before the page", {"nginx": "nginx", "caddy": "caddy", "openssl": "openssl"}))
    certify(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        gate(folder / "clocks-page.sock", "X-Forwarded-Groups" if with_oauth2_proxy else ""),
        authenticator(folder / "oauth2-proxy.sock"),
        PROXIES[program](folder, port, with_oauth2_proxy=with_oauth2_proxy),
    ):
        person = Reader(folder, port)
        with person.client:
            wait_for("the proxy", person.answers)
            yield person


def is_dropped_or_refused(answer: httpx.Response, user: str) -> bool:
    """Whether a header with _ means nothing: nginx drops it, Caddy too or passes it on, depending on the version."""
    if answer.status_code == 200:
        named, is_admin = answer.json()
        return named == user and not is_admin
    return answer.status_code == 400 and answer.text.endswith("comes twice\n")


@pytest.mark.parametrize("program", PROXIES)
def test_by_a_password_the_proxy_says_who_a_reader_is(program: str, folder: Path) -> None:
    with reader(program, folder, with_oauth2_proxy=False) as person:
        assert person.ask().status_code == 401
        assert person.ask(X__Forwarded__User="root").status_code == 401
        person.client.auth = ("anna", PASSWORD)
        assert person.ask().json() == ["anna", False]
        assert person.ask(X__Forwarded__User="root", X__Forwarded__Groups="ops").json() == ["anna", False]
        spoofed = person.ask(X_Forwarded_User="root")
        assert is_dropped_or_refused(spoofed, "anna")


@pytest.mark.parametrize("program", PROXIES)
def test_with_oauth2_proxy_names_and_groups_are_those_that_it_says(program: str, folder: Path) -> None:
    with reader(program, folder, with_oauth2_proxy=True) as person:
        unknown = person.ask(X__Forwarded__User="root")
        offered = (unknown.status_code, unknown.text) == (403, "log in here")
        assert offered or (unknown.status_code, unknown.headers["location"]) == (302, "/oauth2/sign_in")
        assert person.ask(Cookie="who=anna/ops,data").json() == ["anna", True]
        assert person.ask(Cookie="who=bert").json() == ["bert", False]
        spoofed = person.ask(Cookie="who=bert", X__Forwarded__User="root", X__Forwarded__Groups="ops")
        assert spoofed.json() == ["bert", False]
        with_underscore = person.ask(Cookie="who=bert", X_Forwarded_Groups="ops")
        assert is_dropped_or_refused(with_underscore, "bert")
        assert person.ask("POST", Cookie="who=bert").status_code in {403, 415}  # it arrives, and has no token
