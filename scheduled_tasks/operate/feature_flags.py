"""Feature flags as operators see them: list, switch, read the history, and bring the table up to the project's enum.

The state of a flag is a row of `feature`, each change of it a row of `feature_change`. Runs read flags in run/flags.py.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import rfc3339

if TYPE_CHECKING:
    from datetime import datetime
    from enum import Enum

    from psycopg import Connection

    from scheduled_tasks.features import Feature


class FlagState(NamedTuple):
    """A flag as it stands in the table.

    `updated_by` is who set it last, and `reason` why; `reverts_at` is when it is what it was before, by itself;
    `declared` is whether the enum still has it.
    """

    name: str
    description: str
    is_active: bool
    updated_at: datetime
    updated_by: str
    declared: bool
    reason: str | None = None
    reverts_at: datetime | None = None


class FlagChange(NamedTuple):
    """A change of a flag, as its history has it. `was_active` is None where the flag came into being."""

    name: str
    changed_at: datetime
    changed_by: str
    was_active: bool | None
    is_active: bool
    reason: str | None
    reverts_at: datetime | None


class Synchronized(NamedTuple):
    """What `synchronize` did: the flags it added, those whose description it renewed, and those the enum lacks."""

    added: tuple[str, ...]
    described: tuple[str, ...]
    undeclared: tuple[str, ...]


ADDED = "added with its default"  # the reason of a flag's first row in its history
EXPIRED = "its time was over"  # the reason of the row that ends a switch for a time


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
    """The flags in the table, by name, as they are now: a switch whose time is over as if that was written down."""
    rows = connection.execute(
        "SELECT name, description, is_active <> is_over, CASE WHEN is_over THEN reverts_at ELSE updated_at END,"
        " updated_by, CASE WHEN is_over THEN %s ELSE reason END, CASE WHEN NOT is_over THEN reverts_at END"
        " FROM feature, LATERAL (SELECT coalesce(reverts_at <= clock_timestamp(), false) AS is_over) AS time"
        " ORDER BY name",
        [EXPIRED],
    ).fetchall()
    return [
        FlagState(name, description, is_active, at, actor, name in declared.__members__, reason, reverts_at)
        for name, description, is_active, at, actor, reason, reverts_at in rows
    ]


def end_expired(connection: Connection[Any]) -> list[str]:
    """Writes down that switches for a time are over, and returns the flags; runs have gone by it already."""
    with connection.transaction():
        rows = connection.execute(
            "UPDATE feature SET is_active = NOT is_active, updated_at = reverts_at, reason = %s, reverts_at = NULL"
            " WHERE reverts_at <= clock_timestamp() RETURNING name, is_active, updated_at, updated_by",
            [EXPIRED],
        ).fetchall()
        for name, is_active, at, actor in rows:
            connection.execute(
                "INSERT INTO feature_change (name, changed_at, changed_by, was_active, is_active, reason)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                [name, at, actor, not is_active, is_active, EXPIRED],
            )
    return [row[0] for row in rows]


def history(connection: Connection[Any], name: str | None = None, *, most: int = 50) -> list[FlagChange]:
    """The last changes of a flag, or of all, the newest first."""
    rows = connection.execute(
        "SELECT name, changed_at, changed_by, was_active, is_active, reason, reverts_at FROM feature_change"
        " WHERE %(name)s::text IS NULL OR name = %(name)s ORDER BY changed_at DESC, id DESC LIMIT %(most)s",
        {"name": name, "most": most},
    ).fetchall()
    return [FlagChange(*row) for row in rows]


def ends_at(connection: Connection[Any], name: str) -> datetime | None:
    """When a flag is the opposite by itself; None where it is as it is for good."""
    row = connection.execute(
        "SELECT reverts_at FROM feature WHERE name = %s AND reverts_at > clock_timestamp()", [name]
    ).fetchone()
    return row[0] if row else None


def set_active(  # noqa: PLR0913 - what an operator says of a switch
    connection: Connection[Any],
    name: str,
    *,
    active: bool,
    actor: str,
    reason: str | None = None,
    until: datetime | None = None,
) -> bool:
    """Switches a flag; the next run sees it. Returns whether that changed anything.

    Args:
        connection: on which each statement is a transaction of its own.
        name: the flag's.
        active: on or off.
        actor: who does it.
        reason: why; it is kept.
        until: from when on the flag is what it was before, by itself. A flag that is so for a time already gets the new
            end; one that is so for good stays it.

    Raises:
        UnknownFeatureError: the table has no such flag, with the nearest names.
        UsageError: it is the opposite for a time, and was so for good before: two ends can't be kept.
    """
    with connection.transaction():
        end_expired(connection)
        row = connection.execute(
            "SELECT is_active, reverts_at FROM feature WHERE name = %s FOR UPDATE", [name]
        ).fetchone()
        if row is None:
            known = [found for (found,) in connection.execute("SELECT name FROM feature ORDER BY name")]
            near = get_close_matches(name.upper(), known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known) or 'none'}"
            raise UnknownFeatureError(f"unknown feature {name!r}: {hint}")
        if row[0] == active and (row[1] is None or row[1] == until):
            return False
        if until and row[1] and row[0] != active:
            state = "active" if row[0] else "inactive"
            raise UsageError(
                f"{name} is {state} until {rfc3339(row[1])}, and the opposite after that by"
                " itself: switch it without --until, or give its switch another end"
            )
        connection.execute(
            "UPDATE feature SET is_active = %s, updated_at = now(), updated_by = %s, reason = %s, reverts_at = %s"
            " WHERE name = %s",
            [active, actor, reason, until, name],
        )
        _write_change(connection, name, was=row[0], active=active, actor=actor, reason=reason, until=until)
    return True


def _write_change(  # noqa: PLR0913 - a row of the audit table has these columns
    connection: Connection[Any],
    name: str,
    *,
    was: bool | None,
    active: bool,
    actor: str,
    reason: str | None,
    until: datetime | None = None,
) -> None:
    connection.execute(
        "INSERT INTO feature_change (name, changed_by, was_active, is_active, reason, reverts_at)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [name, actor, was, active, reason, until],
    )
