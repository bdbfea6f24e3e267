"""Logging in by OpenID Connect, with a real provider: PKCE, state, nonce, and a session that nobody can change."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import socket
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from io import BytesIO
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import oidc_provider_mock  # type: ignore[import-untyped] # it has no types
import pytest
import requests
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect
from werkzeug.serving import make_server

from scheduled_tasks.page.access import configured
from scheduled_tasks.page.access.oidc import OidcMiddleware
from scheduled_tasks.page.app import create_app
from tests.integration.page.conftest import serving

# The provider uses what its library calls outdated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:authlib")

SECRET = "postgresql://page:sw0rdfish@db/shop"
PAGE = "https://page.example"
ANNA = oidc_provider_mock.User(sub="anna", claims={"preferred_username": "anna", "groups": ["booking"]})


@dataclass
class RunningProvider:
    issuer: str
    token_requests: list[dict[str, list[str]]] = field(default_factory=list)


@pytest.fixture
def provider() -> Iterator[RunningProvider]:
    application = oidc_provider_mock.app(user_claims=[ANNA])
    running = RunningProvider("")

    def recording(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"].endswith("/token"):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
            running.token_requests.append(parse_qs(body.decode()))
            environ["wsgi.input"] = BytesIO(body)
        return application(environ, start_response)

    server = make_server("127.0.0.1", 0, recording, threaded=True)
    running.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    text: str

    @property
    def location(self) -> str:
        return dict(self.headers)["location"]


class Browser:
    """A browser: it keeps cookies, and sends them."""

    def __init__(self, issuer: str, **changed: Any) -> None:
        table = {"issuer": issuer, "client_id": "clocks", "public_url": PAGE, **changed}
        self.settings = configured(
            {"clock_operators": {"booking": ["@booking"]}, "oidc": table}, SECRET, client_secret="ours"
        )
        assert self.settings.oidc is not None
        self.gate = OidcMiddleware(_application, self.settings, self.settings.oidc)
        self.cookies: dict[str, str] = {}

    def get(self, url: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        parts = urlsplit(url)
        sent = {"Accept": "text/html", "Cookie": "; ".join(f"{n}={v}" for n, v in self.cookies.items()), **headers}
        scope = {
            "type": "http", "method": method, "path": parts.path, "query_string": parts.query.encode(),
            "client": ("203.0.113.7", 1234), "headers": [(n.lower().encode(), v.encode()) for n, v in sent.items()],
        }  # fmt: skip
        answer = Answer(0, [], "")

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
            else:
                answer.text += message["body"].decode()

        with ThreadPoolExecutor(1) as thread:  # playwright, of other tests, keeps a loop in this one
            thread.submit(asyncio.run, self.gate(scope, receive, send)).result()
        for name, value in answer.headers:
            if name == "set-cookie":
                [(cookie, morsel)] = SimpleCookie(value).items()
                assert (morsel["httponly"], morsel["samesite"], bool(morsel["secure"])) == (True, "Lax", True)
                self.cookies[cookie] = morsel.value
        return answer

    def log_in(self, path: str = "/jobs?bad=1") -> Answer:
        """As a person does: open a path, log in at the provider, come back."""
        return self.get(self.come_back(self.begin(path)))

    def begin(self, path: str) -> str:
        """Open a path; return where the provider asks for the login."""
        login = self.get(path)
        assert (login.status, login.location.startswith("/login?next=")) == (303, True)
        return self.get(login.location).location

    @staticmethod
    def come_back(url: str, user: str = "anna") -> str:
        """Log in at the provider; return where it sends the browser."""
        form = requests.post(url, data={"sub": user}, allow_redirects=False, timeout=10)
        assert form.status_code == 302, form.text
        return form.headers["location"]


async def _application(scope: Any, _receive: Any, send: Any) -> None:
    actor = scope["state"]["actor"]
    said = {"name": actor.name, "clocks": sorted(actor.clocks), "csrf": actor.csrf}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


def test_who_logs_in_comes_back_to_what_was_opened_and_may_what_the_groups_say(provider: RunningProvider) -> None:
    browser = Browser(provider.issuer)
    back = browser.log_in()
    assert (back.status, back.location) == (303, "/jobs?bad=1")
    anna = json.loads(browser.get(back.location).text)
    assert (anna["name"], anna["clocks"]) == ("anna", ["booking"])
    assert set(browser.cookies) == {"__Host-clocks-session", "__Host-clocks-login"}
    assert browser.cookies["__Host-clocks-login"] == ""


def test_the_code_is_worth_nothing_without_the_verifier_which_only_this_browser_has(provider: RunningProvider) -> None:
    browser = Browser(provider.issuer)
    url = browser.begin("/")
    asked = parse_qs(urlsplit(url).query)
    assert (asked["code_challenge_method"], asked["response_type"]) == (["S256"], ["code"])
    assert browser.get(browser.come_back(url)).status == 303
    [sent] = provider.token_requests
    digest = hashlib.sha256(sent["code_verifier"][0].encode()).digest()
    assert urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"][0]
    assert len(sent["code_verifier"][0]) >= 43


def test_a_login_that_another_browser_has_begun_is_refused(provider: RunningProvider) -> None:
    back = Browser.come_back(Browser(provider.issuer).begin("/"))
    victim = Browser(provider.issuer)
    refused = victim.get(back)
    assert (refused.status, "not begun in this browser" in refused.text) == (403, True)
    victim.begin("/")  # even if it has a login of its own
    assert victim.get(back).status == 403
    assert "__Host-clocks-session" not in victim.cookies


def test_an_id_token_for_another_login_is_refused(provider: RunningProvider) -> None:
    browser = Browser(provider.issuer)
    url = browser.begin("/")
    other = re.sub("nonce=[^&]+", "nonce=another", url)
    refused = browser.get(browser.come_back(other))
    assert (refused.status, refused.text) == (403, "the provider's answer is not valid: InvalidClaimError\n")


def test_a_provider_that_names_nobody_lets_nobody_in(provider: RunningProvider) -> None:
    browser = Browser(provider.issuer, name_claim="employee")
    refused = browser.log_in()
    assert (refused.status, refused.text) == (403, "the provider names nobody: its ID token has no employee\n")


def test_a_provider_that_refuses_is_quoted(provider: RunningProvider) -> None:
    browser = Browser(provider.issuer)
    state = parse_qs(urlsplit(browser.begin("/")).query)["state"][0]
    refused = browser.get(f"/login/callback?{urlencode({'state': state, 'error': 'access_denied'})}")
    assert (refused.status, refused.text) == (403, "the provider refused: access_denied\n")


def test_a_provider_that_does_not_answer_is_said() -> None:
    refused = Browser("http://127.0.0.1:9").get("/login")
    assert (refused.status, refused.text) == (503, "the provider does not answer: ConnectionError\n")


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
def test_nobody_is_led_elsewhere_by_a_login(provider: RunningProvider, target: str) -> None:
    browser = Browser(provider.issuer)
    url = browser.get(f"/login?{urlencode({'next': target})}").location
    assert browser.get(browser.come_back(url)).location == "/"


def test_a_changed_session_is_none(provider: RunningProvider) -> None:
    browser = Browser(provider.issuer)
    browser.log_in()
    good = browser.cookies["__Host-clocks-session"]
    payload, _, signature = good.partition(".")
    login = Browser(provider.issuer)
    login.begin("/")
    forged = urlsafe_b64encode(b'{"name": "root", "groups": [], "until": 9e9}').decode()
    for bad in (
        "",
        ".",
        f"{forged}.{signature}",
        f"{payload}.{'0' * 64}",
        payload,
        login.cookies["__Host-clocks-login"],
    ):
        browser.cookies["__Host-clocks-session"] = bad
        assert browser.get("/jobs").status == 303
    browser.cookies["__Host-clocks-session"] = good
    assert browser.get("/jobs").status == 200


def test_a_session_ends_by_itself_and_by_the_persons_wish(
    provider: RunningProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scheduled_tasks.page.access import oidc

    monkeypatch.setattr(oidc, "SESSION_SECONDS", -1)
    browser = Browser(provider.issuer)
    browser.log_in()
    assert browser.get("/jobs").status == 303
    monkeypatch.undo()
    browser.log_in()
    csrf = json.loads(browser.get("/jobs").text)["csrf"]
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.get("/logout", "POST", b"csrf=wrong", **kind).status == 403
    assert browser.get("/jobs").status == 200
    assert browser.get("/logout", "POST", f"csrf={csrf}".encode(), **kind).status == 303
    assert browser.get("/jobs").status == 303


def test_a_program_gets_no_login_page(provider: RunningProvider) -> None:
    assert Browser(provider.issuer).get("/api/jobs", Accept="application/json").status == 401
    assert Browser(provider.issuer).get("/act", "POST").status == 401


def test_a_person_logs_in_and_out_in_a_browser(provider: RunningProvider, demo_url: str, browser: Chromium) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    public_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    table = {"issuer": provider.issuer, "client_id": "clocks", "public_url": public_url}
    access = configured({"oidc": table}, SECRET, client_secret="ours")
    with serving(create_app(demo_url, zone="UTC", access=access), listening):
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(f"{public_url}/jobs?state=bad")
        page.locator("input[name=sub]").fill("anna")
        page.get_by_role("button", name="Authorize").click()
        expect(page).to_have_url(f"{public_url}/jobs?state=bad")
        expect(page.locator("footer")).to_contain_text("You are anna, who may only look")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading")).to_have_text("You are logged out of this page")
        page.goto(f"{public_url}/jobs")
        assert page.url.startswith(provider.issuer)  # nobody is known any more
        page.goto(f"{public_url}/logged-out")
        page.get_by_role("link", name="Log in").click()
        page.wait_for_url(f"{provider.issuer}/**")
        page.close()


def test_who_has_not_logged_in_to_the_page_itself_is_offered_no_way_out(page_url: str) -> None:
    text = requests.get(page_url, timeout=10).text
    assert ("You are <strong>anna</strong>" in text, "Log out" in text) == (True, False)
