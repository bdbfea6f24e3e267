"""The table `[page]` of the configuration, as far as it says who is who and who may what."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.faults import what_to_write
from scheduled_tasks.page.access.actor import Authority, Names

HEX_DIGITS = 64  # of a SHA-256
KEYS = ("admins", "clock_operators", "owner_operators", "proxy", "tokens", "oidc", "idle_seconds")
PROXY_KEYS = ("user_header", "groups_header", "users", "addresses")
TOKEN_KEYS = ("sha256", "groups", "until")
OIDC_KEYS = ("issuer", "client_id", "public_url", "name_claim", "groups_claim")


@dataclass(frozen=True)
class Proxy:
    """A reverse proxy that has authenticated the person whom its header names.

    Attributes:
        user_header, groups_header: the headers, in lower case; "" for no groups.
        users: as whom it connects to the unix socket.
        addresses: from which it connects by TCP, and then sends the secret in X-Proxy-Secret.
        secret: that secret; "" for none: then no address is accepted.
    """

    user_header: str
    groups_header: str = ""
    users: Names = frozenset()
    addresses: Names = frozenset()
    secret: str = ""


@dataclass(frozen=True)
class Token:
    """A program's token: only its hash is known here.

    Attributes:
        name: shown as `token NAME`.
        sha256: of the token, in hexadecimal digits.
        groups: whose members it acts like.
        until: when it ends.
    """

    name: str
    sha256: str
    groups: Names
    until: datetime


@dataclass(frozen=True)
class Oidc:
    """A provider of OpenID Connect.

    Attributes:
        issuer: its URL.
        client_id, client_secret: of this page; the secret is a credential, "" for a public client.
        public_url: of this page, as browsers see it.
        name_claim, groups_claim: the claims that name the person and the groups.
    """

    issuer: str
    client_id: str
    public_url: str
    client_secret: str = ""
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"


@dataclass(frozen=True)
class AccessSettings:
    """Who is who, and who may what.

    Attributes:
        key: a secret of this page, from which the tokens of its forms are made; the same after a restart.
        authority: who may act.
        proxy, tokens, oidc: the ways besides the unix socket.
        local_user: whose each request from this machine is, for a page in the foreground; "" for nobody's.
    """

    key: bytes
    authority: Authority = field(default_factory=Authority)
    proxy: Proxy | None = None
    tokens: tuple[Token, ...] = ()
    oidc: Oidc | None = None
    local_user: str = ""

    @property
    def authenticates_tcp(self) -> bool:
        """Whether it knows who sends a request by TCP from another machine."""
        return bool(self.tokens or self.oidc or (self.proxy and self.proxy.addresses and self.proxy.secret))


def configured(
    values: Mapping[str, Any], secret: str, *, proxy_secret: str = "", client_secret: str = "", local_user: str = ""
) -> AccessSettings:
    """Read the table `[page]`.

    Args:
        values: the table.
        secret: a text that only the page knows, such as its database's URL with the password.
        proxy_secret: the credential `page.proxy_secret`.
        client_secret: the credential `page.oidc_client_secret`.
        local_user: who runs the page in the foreground; "" for a service.

    Raises:
        ConfigurationError: a key is unknown or its value has another form.
    """
    _require_known("[page]", values, KEYS)
    idle = values.get("idle_seconds", 1)
    if not isinstance(idle, int) or isinstance(idle, bool) or idle < 1:
        raise ConfigurationError(f"[page] idle_seconds = {idle!r}: write a whole number of seconds")
    authority = Authority(
        _names("admins", values.get("admins", [])),
        _names_by("clock_operators", values.get("clock_operators", {})),
        _names_by("owner_operators", values.get("owner_operators", {})),
    )
    return AccessSettings(
        hmac.digest(secret.encode(), b"scheduled-tasks page", "sha256"),
        authority,
        _proxy(values["proxy"], proxy_secret) if "proxy" in values else None,
        tuple(_token(name, token) for name, token in _table("tokens", values.get("tokens", {})).items()),
        _oidc(values["oidc"], client_secret) if "oidc" in values else None,
        local_user,
    )


def require_safe_address(settings: AccessSettings, host: str) -> None:
    """Refuse to listen where others can connect whom nobody would know.

    Raises:
        ConfigurationError: the address is not this machine's own, and requests by TCP are not authenticated.
    """
    try:
        is_own = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_own = host == "localhost"
    if not is_own and not settings.authenticates_tcp:
        raise ConfigurationError(
            f"the page does not listen on {host}: anybody there could act. Write a table [page.proxy] with addresses, "
            "and the credential page.proxy_secret; or [page.tokens] or [page.oidc]; or let it listen on its unix socket"
        )


def _proxy(value: object, secret: str) -> Proxy:
    table = _table("proxy", value, PROXY_KEYS)
    addresses = _names("proxy.addresses", table.get("addresses", []))
    for address in addresses:
        try:
            ipaddress.ip_network(address)
        except ValueError:
            raise ConfigurationError(f"[page] proxy.addresses: {address!r} is not an address or network") from None
    if addresses and not secret:
        raise ConfigurationError("[page] proxy.addresses needs the credential page.proxy_secret, which the proxy sends")
    users = _names("proxy.users", table.get("users", []))
    if not (addresses or users):
        raise ConfigurationError("[page] proxy: write users, as whom it connects to the socket, or addresses")
    header = _text("proxy.user_header", table.get("user_header")).lower()
    return Proxy(header, str(table.get("groups_header", "")).lower(), users, addresses, secret)


def _token(name: str, value: object) -> Token:
    table = _table(f"tokens.{name}", value, TOKEN_KEYS)
    digest = _text(f"tokens.{name}.sha256", table.get("sha256")).lower()
    if len(digest) != HEX_DIGITS or set(digest) - set("0123456789abcdef"):
        raise ConfigurationError(f"[page] tokens.{name}.sha256: write the 64 digits of a SHA-256, not the token")
    until = table.get("until")
    if not isinstance(until, datetime) or until.tzinfo is None:
        raise ConfigurationError(f"[page] tokens.{name}.until: write when it ends, 2027-01-01T00:00:00Z")
    return Token(name, digest, _names(f"tokens.{name}.groups", table.get("groups", [])), until.astimezone(UTC))


def _oidc(value: object, client_secret: str) -> Oidc:
    table = _table("oidc", value, OIDC_KEYS)
    required = {key: _text(f"oidc.{key}", table.get(key)) for key in ("issuer", "client_id", "public_url")}
    optional = {key: _text(f"oidc.{key}", table[key]) for key in ("name_claim", "groups_claim") if key in table}
    return Oidc(**required, client_secret=client_secret, **optional)


def _table(key: str, value: object, known: tuple[str, ...] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"[page] {key} = {value!r}: write a table")
    if known:
        _require_known(f"[page] {key}", value, known)
    return value


def _require_known(place: str, names: Iterable[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise ConfigurationError(f"{place}: unknown key {name!r}; {what_to_write(name, known, 'the keys')}")


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"[page] {key} = {value!r}: write a text")
    return value


def _names(key: str, value: object) -> Names:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ConfigurationError(f'[page] {key} = {value!r}: write a list of names, ["anna", "@ops"]')
    return frozenset(value)


def _names_by(key: str, value: object) -> dict[str, Names]:
    return {name: _names(f"{key}.{name}", names) for name, names in _table(key, value).items()}


def hash_of(token: str) -> str:
    """What the configuration has of a token. It is random and long, so a hash without salt can't be reversed."""
    return hashlib.sha256(token.encode()).hexdigest()
