"""A person, or a program with a token, and what that one may do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Names = frozenset[str]


@dataclass(frozen=True)
class Identity:
    """Who sent a request, as the way in which it came shows.

    Attributes:
        name: of the user, or `token NAME`.
        groups: those that the machine, the proxy, the provider or the token names.
        way: `socket`, `proxy`, `token`, `oidc` or `local`.
    """

    name: str
    groups: Names = frozenset()
    way: str = "socket"

    @property
    def is_browser(self) -> bool:
        """Whether a browser adds what identifies it to any request, even one that another site caused."""
        return self.way != "token"


@dataclass(frozen=True)
class Authority:
    """Who may act, by names of users and, after an @, of groups: `anna`, `@ops`. Everybody else may look.

    Attributes:
        admins: on everything, flags and all clocks at once included.
        of_clocks: on a clock, by its name.
        of_owners: on the jobs of an owner (`owner=` in a clock file), by its name.
    """

    admins: Names = frozenset()
    of_clocks: Mapping[str, Names] | None = None
    of_owners: Mapping[str, Names] | None = None


@dataclass(frozen=True)
class Actor:
    """Who looks or acts.

    Attributes:
        name: as in the ledger: who asked, paused, switched.
        is_admin: whether they may act on everything.
        clocks, owners: what else they may act on.
        csrf: the token of their forms, as the field `csrf` or the header X-CSRF-Token.
        has_session: whether they have logged in to the page itself, and can log out.
    """

    name: str
    is_admin: bool = False
    clocks: Names = frozenset()
    owners: Names = frozenset()
    csrf: str = ""
    has_session: bool = False

    @property
    def is_operator(self) -> bool:
        """Whether they may act on anything."""
        return self.is_admin or bool(self.clocks or self.owners)

    def may_act_on(self, clock: str, owner: str = "") -> bool:
        """Whether they may act on a job of a clock and an owner; "" if it has none. A clock itself has no owner."""
        return self.is_admin or clock in self.clocks or (owner != "" and owner in self.owners)


def actor_of(identity: Identity, authority: Authority, csrf: str = "") -> Actor:
    """What somebody may do."""
    own = set() if identity.name.startswith("@") else {identity.name}  # a name from outside can't be a group's
    names = own | {f"@{group}" for group in identity.groups}

    def of(table: Mapping[str, Names] | None) -> Names:
        return frozenset(name for name, operators in (table or {}).items() if operators & names)

    is_admin = bool(authority.admins & names)
    has_session = identity.way == "oidc"
    return Actor(identity.name, is_admin, of(authority.of_clocks), of(authority.of_owners), csrf, has_session)
