"""Feature flags: what they are, and what operators do with them.

A flag is a member of the project's enum, with its description and its default; its state stands in the table `feature`,
each change of it in `feature_change`. The hot path imports only what is above the operator's calls.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection


class Feature:
    """What a flag switches, in a sentence, and its state until an operator sets another.

    Compared by identity: Enum makes members with equal values one member.

    Attributes:
        description: shown to the operator who has to decide at night.
        default: whether it is active where nobody has said anything.
    """

    __slots__ = ("default", "description")

    def __init__(self, description: str, *, default: bool = True) -> None:
        self.description = description
        self.default = default


class FeatureToggle(Enum):
    """The flags of the worked example. What speaks to another company's service starts switched off."""

    CANCEL_EXPIRED_BOOKINGS = Feature("Cancel bookings that nobody has confirmed, and give their places back")
    MARK_PAST_BOOKINGS_USED = Feature("Mark confirmed bookings of past events as used")
    SYNCHRONIZE_TITELIVE = Feature("Take venues' stocks over from Titelive", default=False)
    SYNCHRONIZE_TITELIVE_PRODUCTS = Feature("Take the catalogue of things over from Titelive", default=False)
    INDEX_OFFERS = Feature("Send changed offers to the search index", default=False)
    DELETE_EXPIRED_OFFERS = Feature("Take expired offers out of the search index", default=False)


class FlagState(NamedTuple):
    """A flag as it stands in the table.

    `updated_by` is who set it last; `declared` whether the enum still has it.
    """

    name: str
    description: str
    is_active: bool
    updated_at: datetime
    updated_by: str
    declared: bool


class Synchronized(NamedTuple):
    """What `synchronize` did: the flags it added, those whose description it renewed, and those the enum lacks."""

    added: tuple[str, ...]
    described: tuple[str, ...]
    undeclared: tuple[str, ...]


ADDED = "added with its default"  # the reason of a flag's first row in its history


class UnknownFeatureError(UsageError):
    """There is no such feature flag."""


def synchronize(connection: Connection[Any], declared: type[Enum], *, actor: str) -> Synchronized:
    """Brings the table up to the enum: adds what is missing with its default, renews descriptions.

    What an operator set stays as it is, and what the enum no longer has is reported and left: a release that
    still runs may ask for it.
    """
    with connection.transaction():
        added, described = [], []
        for member in declared:
            feature: Feature = member.value
            row = connection.execute(
                "INSERT INTO feature (name, description, is_active, updated_by) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (name) DO NOTHING RETURNING name",
                [member.name, feature.description, feature.default, actor],
            ).fetchone()
            if row is not None:
                added.append(member.name)
                _write_change(connection, member.name, was=None, active=feature.default, actor=actor, reason=ADDED)
                continue
            renewed = connection.execute(
                "UPDATE feature SET description = %s WHERE name = %s AND description <> %s RETURNING name",
                [feature.description, member.name, feature.description],
            ).fetchone()
            if renewed is not None:
                described.append(member.name)
        names = [member.name for member in declared]
        rows = connection.execute("SELECT name FROM feature WHERE name <> ALL (%s) ORDER BY name", [names]).fetchall()
    return Synchronized(tuple(added), tuple(described), tuple(name for (name,) in rows))


def is_there(connection: Connection[Any]) -> bool:
    """Whether the database has the table of flags yet."""
    return connection.execute("SELECT to_regclass('feature') IS NOT NULL").fetchall() == [(True,)]


def list_flags(connection: Connection[Any], declared: type[Enum]) -> list[FlagState]:
    """The flags in the table, by name."""
    rows = connection.execute(
        "SELECT name, description, is_active, updated_at, updated_by FROM feature ORDER BY name"
    ).fetchall()
    return [
        FlagState(name, description, is_active, updated_at, updated_by, name in declared.__members__)
        for name, description, is_active, updated_at, updated_by in rows
    ]


def set_active(connection: Connection[Any], name: str, *, active: bool, actor: str, reason: str | None = None) -> bool:
    """Switches a flag; the next run sees it. Returns whether that changed anything.

    Raises:
        UnknownFeatureError: the table has no such flag, with the nearest names.
    """
    with connection.transaction():
        row = connection.execute("SELECT is_active FROM feature WHERE name = %s FOR UPDATE", [name]).fetchone()
        if row is None:
            known = [found for (found,) in connection.execute("SELECT name FROM feature ORDER BY name")]
            from difflib import get_close_matches  # every run imports this module

            near = get_close_matches(name.upper(), known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known) or 'none'}"
            raise UnknownFeatureError(f"unknown feature {name!r}: {hint}")
        if row[0] == active:
            return False
        connection.execute(
            "UPDATE feature SET is_active = %s, updated_at = now(), updated_by = %s WHERE name = %s",
            [active, actor, name],
        )
        _write_change(connection, name, was=row[0], active=active, actor=actor, reason=reason)
    return True


def _write_change(  # noqa: PLR0913 - a row of the audit table has these columns
    connection: Connection[Any], name: str, *, was: bool | None, active: bool, actor: str, reason: str | None
) -> None:
    connection.execute(
        "INSERT INTO feature_change (name, changed_by, was_active, is_active, reason) VALUES (%s, %s, %s, %s, %s)",
        [name, actor, was, active, reason],
    )
