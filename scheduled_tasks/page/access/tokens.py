"""Tokens of programs in the database: create, list and revoke them, and what the page needs to know them by.

Only the hash of a token is stored. `clocks tokens` writes them with the operators' role; the page's role can read them.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.errors import UsageError
from scheduled_tasks.page.access.settings import Token, hash_of

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection

PREFIX = "st_"  # by which a scanner for secrets finds one
BYTES = 32
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
READ_INTERVAL = 5.0  # seconds after which a page asks again: so long a revoked token is still known


class StoredToken(NamedTuple):
    """A token as it is listed: everything but the token."""

    name: str
    groups: list[str]
    created_at: datetime
    created_by: str
    reason: str | None
    until: datetime
    revoked_at: datetime | None
    revoked_by: str | None

    def state(self, now: datetime) -> str:
        """`valid`, `ended` or `revoked`."""
        return "revoked" if self.revoked_at else "ended" if self.until <= now else "valid"


class NewToken(NamedTuple):
    """What is said of a token as it is created: its name, as whose member it acts, when it ends, by whom and why."""

    name: str
    groups: Iterable[str]
    until: datetime
    by: str
    reason: str | None = None


def create(connection: Connection, new: NewToken) -> str:
    """Create a token; return it. It is nowhere else.

    Raises:
        UsageError: the name can't be one, or a token that is not revoked has it.
    """
    if not NAME.fullmatch(new.name):
        raise UsageError(f"a token can't be called {new.name!r}: write letters, digits, and . _ - after the first one")
    token = PREFIX + secrets.token_hex(BYTES)
    created = connection.execute(
        "INSERT INTO page_token (sha256, name, groups, until, created_by, reason) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING",
        [hash_of(token), new.name, sorted(set(new.groups)), new.until, new.by, new.reason],
    )
    if not created.rowcount:
        raise UsageError(f"there is a token {new.name}: revoke it first, or choose another name")
    return token


def revoke(connection: Connection, name: str, *, by: str) -> bool:
    """Revoke a token; False if it is revoked already.

    Raises:
        UsageError: there never was one of this name.
    """
    done = connection.execute(
        "UPDATE page_token SET revoked_at = clock_timestamp(), revoked_by = %s WHERE name = %s AND revoked_at IS NULL",
        [by, name],
    )
    if not done.rowcount and not connection.execute("SELECT FROM page_token WHERE name = %s", [name]).rowcount:
        raise UsageError(f"there is no token {name!r}: clocks tokens list")
    return bool(done.rowcount)


def stored(connection: Connection) -> list[StoredToken]:
    """All tokens, those that are not revoked first, by name."""
    rows = connection.execute(
        "SELECT name, groups, created_at, created_by, reason, until, revoked_at, revoked_by FROM page_token"
        " ORDER BY revoked_at IS NOT NULL, name, created_at"
    )
    return [StoredToken(*row) for row in rows]


def known(connection: Connection) -> tuple[Token, ...]:
    """What a page knows tokens by: those that are not revoked."""
    rows = connection.execute("SELECT name, sha256, groups, until FROM page_token WHERE revoked_at IS NULL")
    return tuple(Token(name, sha256, frozenset(groups), until) for name, sha256, groups, until in rows)


class KnownTokens:
    """The tokens of the database, read at most every READ_INTERVAL seconds; for any number of threads."""

    def __init__(self, read: Callable[[], tuple[Token, ...]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._tokens: tuple[Token, ...] = ()
        self._read_at: float | None = None

    def __call__(self) -> tuple[Token, ...]:
        """The tokens that are not revoked."""
        with self._lock:
            now = time.monotonic()
            if self._read_at is None or now - self._read_at >= READ_INTERVAL:
                self._tokens, self._read_at = self._read(), now
            return self._tokens
