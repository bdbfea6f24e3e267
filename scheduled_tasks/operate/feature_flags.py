"""Feature flags as operators see them: list, switch, read the history, and bring the table up to the project's enum.

The state of a flag is a row of `feature`, each change of it a row of `feature_change`. Runs read flags in run/flags.py.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import rfc3339
from scheduled_tasks.operate.requests.acting import act

if TYPE_CHECKING:
    from datetime import datetime
    from enum import Enum

    from psycopg import Connection

    from scheduled_tasks.features import Feature


class FlagState(NamedTuple):
    """A flag in the table: who set it last and why, and when a temporary switch reverts.

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
    """A change of a flag in its history. `was_active` is None if the flag was added."""

    name: str
    changed_at: datetime
    changed_by: str
    was_active: bool | None
    is_active: bool
    reason: str | None
    reverts_at: datetime | None


class Synchronized(NamedTuple):
    """The flags that `synchronize` added, those whose description it updated, and those that the enum lacks."""

    added: tuple[str, ...]
    described: tuple[str, ...]
    undeclared: tuple[str, ...]


ADDED = "added with its default"  # the reason of a flag's first row in its history
EXPIRED = "the temporary switch expired"  # the reason of the row that reverts one; migrations/0007 has it too


class UnknownFeatureError(UsageError):
    """There is no such feature flag."""


def synchronize(connection: Connection[Any], declared: type[Enum], *, actor: str) -> Synchronized:
    """Bring the table up to the enum: add missing flags with their defaults, update descriptions.

    What operators set stays. A flag that the enum no longer has is reported but kept, because a release that is still
    running may read it.
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
                connection.execute(
                    "INSERT INTO feature_change (name, changed_by, is_active, reason) VALUES (%s, %s, %s, %s)",
                    [member.name, actor, feature.default, ADDED],
                )
                continue
            if connection.execute(
                "UPDATE feature SET description = %s WHERE name = %s AND description <> %s",
                [feature.description, member.name, feature.description],
            ).rowcount:
                described.append(member.name)
        names = list(declared.__members__)
        rows = connection.execute("SELECT name FROM feature WHERE name <> ALL (%s) ORDER BY name", [names]).fetchall()
    return Synchronized(tuple(added), tuple(described), tuple(name for (name,) in rows))


def table_exists(connection: Connection[Any]) -> bool:
    """Whether the database has the table of flags yet."""
    return connection.execute("SELECT to_regclass('feature') IS NOT NULL").fetchall() == [(True,)]


def list_flags(connection: Connection[Any], declared: type[Enum]) -> list[FlagState]:
    """The flags in the table, by name; expired switches are shown as reverted, even before that is recorded."""
    rows = connection.execute(
        "SELECT name, description, is_active <> expired, CASE WHEN expired THEN reverts_at ELSE updated_at END,"
        " updated_by, name = ANY (%s), CASE WHEN expired THEN %s ELSE reason END,"
        " CASE WHEN NOT expired THEN reverts_at END"
        " FROM feature, LATERAL (SELECT coalesce(reverts_at <= clock_timestamp(), false) AS expired) AS time"
        " ORDER BY name",
        [list(declared.__members__), EXPIRED],
    )
    return [FlagState(*row) for row in rows]


def revert_expired(connection: Connection[Any]) -> list[str]:
    """Record that temporary switches have reverted, and return the flags. Runs already see them reverted."""
    return [name for (name,) in connection.execute("SELECT revert_expired_flags()")]


def history(connection: Connection[Any], name: str | None = None, *, limit: int = 50) -> list[FlagChange]:
    """The last changes of a flag, or of all flags, newest first."""
    rows = connection.execute(
        "SELECT name, changed_at, changed_by, was_active, is_active, reason, reverts_at FROM feature_change"
        " WHERE %(name)s::text IS NULL OR name = %(name)s ORDER BY changed_at DESC, id DESC LIMIT %(limit)s",
        {"name": name, "limit": limit},
    ).fetchall()
    return [FlagChange(*row) for row in rows]


def reverts_at(connection: Connection[Any], name: str) -> datetime | None:
    """When a temporary switch reverts; None if the state is permanent."""
    row = connection.execute(
        "SELECT reverts_at FROM feature WHERE name = %s AND reverts_at > clock_timestamp()", [name]
    ).fetchone()
    return row[0] if row else None


def set_active(  # noqa: PLR0913 - the facts of a switch
    connection: Connection[Any],
    name: str,
    *,
    active: bool,
    actor: str,
    reason: str | None = None,
    until: datetime | None = None,
) -> bool:
    """Switch a flag, with effect from the next run. Return whether that changed anything.

    Args:
        connection: on which each statement is a transaction of its own.
        name: the flag's name.
        active: its new state.
        actor: who does it, for the history.
        reason: why, for the history.
        until: when the switch reverts. A temporary switch to the same state gets the new end; a permanent one stays
            permanent.

    Raises:
        UnknownFeatureError: the table has no such flag; the message has the nearest names.
        UsageError: a temporary switch to the opposite state is active: a flag has only one end.
    """
    from psycopg import errors

    try:
        with connection.transaction():
            return bool(act(connection, "switch_flag", name, active, until, actor, reason))
    except errors.UndefinedObject:
        raise _unknown(connection, name) from None
    except errors.ObjectNotInPrerequisiteState:
        state = "inactive" if active else "active"
        end = reverts_at(connection, name)
        raise UsageError(
            f"{name} is {state} until {rfc3339(end) if end else 'now'} and reverts then: switch it without --until, or"
            " give that switch another end"
        ) from None


def _unknown(connection: Connection[Any], name: str) -> UnknownFeatureError:
    known = [known_name for (known_name,) in connection.execute("SELECT name FROM feature ORDER BY name")]
    near = get_close_matches(name.upper(), known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known) or 'none'}"
    return UnknownFeatureError(f"unknown feature {name!r}: {hint}")
