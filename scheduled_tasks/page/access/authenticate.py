"""Find out whose a request is, by the way in which it came. A header counts only if a trusted proxy sent it."""

from __future__ import annotations

import grp
import hmac
import ipaddress
import os
import pwd
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.page.access.actor import Identity
from scheduled_tasks.page.access.settings import hash_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scheduled_tasks.page.access.actor import Names
    from scheduled_tasks.page.access.settings import AccessSettings, Proxy, Token

SECRET_HEADER = "x-proxy-secret"  # noqa: S105 - the header's name
LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}
MAX_NAME = 200  # characters of a name from outside


class Peer(NamedTuple):
    """Whose process is at the other end of a unix socket, as the kernel says (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Came:
    """How a request came.

    Attributes:
        headers: by name in lower case; each is there once.
        peer: of a unix socket; None of TCP.
        address: the client's address; "" of a unix socket.
    """

    headers: Mapping[str, str]
    peer: Peer | None = None
    address: str = ""


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """A request is not answered: with which status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(status, why)
        self.status, self.why = status, why


def identify(came: Came, settings: AccessSettings, now: datetime, tokens: tuple[Token, ...] = ()) -> Identity | None:
    """Whose a request is; None if nobody's. `tokens` are those of the database.

    Raises:
        Refused: it claims something that is not so: a header of a proxy that it doesn't come from, or a wrong token.
    """
    if (authorization := came.headers.get("authorization", "")).lower().startswith("bearer "):
        return _of_token(authorization[len("bearer ") :].strip(), (*settings.tokens, *tokens), now)
    proxy = settings.proxy
    if proxy and _comes_from(proxy, came):
        return _of_proxy(proxy, came)
    if proxy and {proxy.user_header, proxy.groups_header, SECRET_HEADER} & came.headers.keys() - {""}:
        raise Refused(403, f"the header {proxy.user_header} counts only from the proxy")
    if came.peer:
        return of_peer(came.peer)
    if settings.local_user and _is_local(came):
        return Identity(settings.local_user, way="local")
    return None


def _of_token(token: str, tokens: Iterable[Token], now: datetime) -> Identity:
    digest = hash_of(token)
    for known in tokens:
        if hmac.compare_digest(known.sha256, digest):
            if now >= known.until:
                raise Refused(401, f"the token {known.name} has ended")
            return Identity(f"token {known.name}", known.groups, way="token")
    raise Refused(401, "no such token")


def _comes_from(proxy: Proxy, came: Came) -> bool:
    if came.peer:
        return _user_name(came.peer.uid) in proxy.users
    if not came.address or not proxy.secret:
        return False
    secret = came.headers.get(SECRET_HEADER, "")
    return _is_in(came.address, proxy.addresses) and hmac.compare_digest(secret.encode(), proxy.secret.encode())


def _of_proxy(proxy: Proxy, came: Came) -> Identity | None:
    name = came.headers.get(proxy.user_header, "").strip()
    if not name:
        return None
    if len(name) > MAX_NAME or not name.isprintable():
        raise Refused(400, "the proxy's name of the person can't be one")
    return Identity(name, split_groups(came.headers.get(proxy.groups_header, "")), way="proxy")


def of_peer(peer: Peer) -> Identity:
    """The user at the other end of a unix socket, with the groups that this machine knows.

    Raises:
        Refused: this machine has no such user.
    """
    name = _user_name(peer.uid)
    if not name:
        raise Refused(403, f"the user {peer.uid} has no name on this machine")
    groups = []
    for gid in os.getgrouplist(name, peer.gid):
        try:
            groups.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            continue
    return Identity(name, frozenset(groups), way="socket")


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def split_groups(text: str) -> Names:
    """The groups of a header: separated by commas."""
    return frozenset(filter(None, (group.strip() for group in text.split(","))))


def _is_in(address: str, networks: Iterable[str]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(network) for network in networks)


def _is_local(came: Came) -> bool:
    """Whether a request is from this machine and meant for it: a name that another site lets resolve here is not."""
    host = came.headers.get("host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return _is_in(came.address, ["127.0.0.0/8", "::1/128"]) and name in LOCAL_NAMES
