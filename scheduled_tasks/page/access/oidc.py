"""Log in by a provider of OpenID Connect: the code flow with PKCE, and a session in a signed cookie.

The extra `page-oidc`. Authlib makes the requests, joserfc checks the ID token (OpenID Connect Core 3.1.3.7). The page
keeps no session: the cookie names the person and the groups, until a time, and can't be changed.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, quote, urlsplit

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from scheduled_tasks.page.access.actor import Identity
from scheduled_tasks.page.access.authenticate import Refused
from scheduled_tasks.page.access.middleware import AccessMiddleware
from scheduled_tasks.page.access.signed import read, sign

if TYPE_CHECKING:
    from joserfc.jwk import KeySetSerialization

    from scheduled_tasks.page.access.authenticate import Came
    from scheduled_tasks.page.access.middleware import App, Receive, Scope, Send
    from scheduled_tasks.page.access.settings import AccessSettings, Oidc, Token

LOGIN, CALLBACK, LOGOUT = "/login", "/login/callback", "/logout"
LOGGED_OUT = "/logged-out"  # a screen for nobody: any other one would lead to the login again
SESSION_SECONDS, LOGIN_SECONDS = 8 * 3600, 600
TIMEOUT = 10.0  # seconds for an answer of the provider
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
CLOCK_SKEW = 60  # seconds by which the provider's clock may differ


class Provider:
    """The provider, as its discovery document describes it. Its methods wait for answers.

    Raises:
        Refused: it doesn't answer, or what it says is not valid.
    """

    def __init__(self, oidc: Oidc) -> None:
        self.oidc = oidc
        self._metadata: dict[str, Any] = {}
        self._redirect = f"{oidc.public_url.rstrip('/')}{CALLBACK}"

    def login(self) -> tuple[str, dict[str, str]]:
        """Where a browser logs in, and what has to be remembered of it until it comes back."""
        remembered = {"nonce": secrets.token_urlsafe(32), "verifier": secrets.token_urlsafe(64)}
        url, state = self._session().create_authorization_url(
            self.metadata["authorization_endpoint"], nonce=remembered["nonce"], code_verifier=remembered["verifier"]
        )
        return url, {**remembered, "state": state}

    def identity(self, code: str, remembered: dict[str, Any]) -> Identity:
        """Whom the provider has authenticated, by the code with which the browser came back."""
        try:
            token = self._session().fetch_token(
                self.metadata["token_endpoint"], code=code, grant_type="authorization_code",
                code_verifier=remembered["verifier"], timeout=TIMEOUT,
            )  # fmt: skip
            keys = KeySet.import_key_set(cast("KeySetSerialization", _get(self.metadata["jwks_uri"])))
            claims = jwt.decode(token.get("id_token", ""), keys, algorithms=ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                leeway=CLOCK_SKEW,
                iss={"essential": True, "value": self.metadata["issuer"]},
                aud={"essential": True, "value": self.oidc.client_id},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": remembered["nonce"]},
            ).validate(claims)
        except (OAuthError, JoseError, ValueError, requests.RequestException) as error:
            raise Refused(403, f"the provider's answer is not valid: {type(error).__name__}") from error
        return self._named(claims)

    def _named(self, claims: dict[str, Any]) -> Identity:
        name = claims.get(self.oidc.name_claim)
        if not isinstance(name, str) or not name or not name.isprintable():
            raise Refused(403, f"the provider names nobody: its ID token has no {self.oidc.name_claim}")
        groups = claims.get(self.oidc.groups_claim) or []
        listed = groups if isinstance(groups, list) else [groups]
        return Identity(name, frozenset(map(str, listed)), way="oidc")

    @property
    def metadata(self) -> dict[str, Any]:
        """The provider's discovery document, read once."""
        if not self._metadata:
            metadata = _get(f"{self.oidc.issuer.rstrip('/')}/.well-known/openid-configuration")
            if metadata.get("issuer", "").rstrip("/") != self.oidc.issuer.rstrip("/"):
                raise Refused(503, f"the provider says that it is {metadata.get('issuer')}")
            self._metadata = metadata
        return self._metadata

    def _session(self) -> OAuth2Session:
        return OAuth2Session(
            self.oidc.client_id, self.oidc.client_secret or None, scope="openid profile email",
            redirect_uri=self._redirect, code_challenge_method="S256",
            token_endpoint_auth_method=None if self.oidc.client_secret else "none",
        )  # fmt: skip


def _get(url: str) -> dict[str, Any]:
    try:
        answer = requests.get(url, timeout=TIMEOUT)
        answer.raise_for_status()
        parsed: dict[str, Any] = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise Refused(503, f"the provider does not answer: {type(error).__name__}") from error
    return parsed


class OidcMiddleware(AccessMiddleware):
    """The page's gate, at which who is not known logs in."""

    def __init__(self, app: App, settings: AccessSettings, oidc: Oidc) -> None:
        super().__init__(app, settings)
        self.public = (*self.public, LOGGED_OUT)
        self.provider = Provider(oidc)
        is_https = urlsplit(oidc.public_url).scheme == "https"
        # __Host-: no other host of the same domain can set it.
        self._session_cookie, self._login_cookie = (
            f"{'__Host-' if is_https else ''}clocks-{name}" for name in ("session", "login")
        )
        self._attributes = f"Path=/; HttpOnly; SameSite=Lax{'; Secure' if is_https else ''}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in {LOGIN, CALLBACK}:
            await self._log_in(scope, send)
            return
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == LOGOUT:
            await self._log_out(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    def identify(self, came: Came, tokens: tuple[Token, ...]) -> Identity | None:
        """Whose a request is: by its session, if nothing else says it."""
        if identity := super().identify(came, tokens):
            return identity
        session = self._read(came.headers.get("cookie", ""), self._session_cookie, "session")
        return Identity(session["name"], frozenset(session["groups"]), way="oidc") if session else None

    async def refuse(self, scope: Scope, send: Send, refused: Refused) -> None:
        """Say why a request is not answered; of a person who is not known, go to the login."""
        if refused.status != 401 or scope["method"] != "GET" or not _wants_html(scope):  # noqa: PLR2004 - RFC 9110
            await super().refuse(scope, send, refused)
            return
        target = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope.get("query_string") else "")
        await _redirect(send, f"{LOGIN}?next={quote(target, safe='')}")

    async def _log_in(self, scope: Scope, send: Send) -> None:
        query = {name: values[0] for name, values in parse_qs(scope.get("query_string", b"").decode("latin-1")).items()}
        try:
            step = self._begin if scope["path"] == LOGIN else self._finish
            url, *cookies = await step(scope, query)
        except Refused as refused:
            await super().refuse(scope, send, refused)
            return
        await _redirect(send, url, *((b"set-cookie", cookie.encode()) for cookie in cookies))

    async def _begin(self, _scope: Scope, query: dict[str, str]) -> tuple[str, ...]:
        """Send the browser to the provider, and let it remember with what."""
        url, remembered = await asyncio.to_thread(self.provider.login)
        remembered["next"] = _own_path(query.get("next", "/"))
        login = sign(remembered, self.settings.key, "login", time.time() + LOGIN_SECONDS)
        return url, self._cookie(self._login_cookie, login, LOGIN_SECONDS)

    async def _finish(self, scope: Scope, query: dict[str, str]) -> tuple[str, ...]:
        """Begin the session of the person with whom the browser comes back."""
        remembered = self._read(self._headers(scope).get("cookie", ""), self._login_cookie, "login")
        if not remembered or not hmac.compare_digest(query.get("state", "").encode(), remembered["state"].encode()):
            raise Refused(403, "this login was not begun in this browser, or too long ago: open the page again")
        if "code" not in query:
            raise Refused(403, f"the provider refused: {query.get('error', 'without a reason')[:100]}")
        identity = await asyncio.to_thread(self.provider.identity, query["code"], remembered)
        named = {"name": identity.name, "groups": sorted(identity.groups)}
        session = sign(named, self.settings.key, "session", time.time() + SESSION_SECONDS)
        own = self._cookie(self._session_cookie, session, SESSION_SECONDS), self._cookie(self._login_cookie, "", 0)
        return remembered["next"], *own

    async def _log_out(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._admit(scope, receive)
        except Refused as refused:
            await super().refuse(scope, send, refused)
            return
        await _redirect(send, LOGGED_OUT, (b"set-cookie", self._cookie(self._session_cookie, "", 0).encode()))

    def _read(self, header: str, name: str, purpose: str) -> dict[str, Any] | None:
        try:
            cookie = SimpleCookie(header).get(name)
        except CookieError:
            return None
        return read(cookie.value, self.settings.key, purpose, time.time()) if cookie else None

    def _cookie(self, name: str, value: str, seconds: int) -> str:
        return f"{name}={value}; Max-Age={seconds}; {self._attributes}"


def _own_path(target: str) -> str:
    """A path of this page; "/" if somebody wants the browser elsewhere."""
    parts = urlsplit(target)
    is_own = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return target if is_own and target.isprintable() else "/"


def _wants_html(scope: Scope) -> bool:
    return any(name.lower() == b"accept" and b"text/html" in value for name, value in scope["headers"])


async def _redirect(send: Send, url: str, *headers: tuple[bytes, bytes]) -> None:
    every = [(b"location", url.encode()), (b"cache-control", b"no-store"), *headers]
    await send({"type": "http.response.start", "status": 303, "headers": every})
    await send({"type": "http.response.body", "body": b""})
