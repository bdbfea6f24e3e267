"""Providers: who supplies stocks and products, and for which venues.

A provider is identified by its local class, its name in the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduled_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from scheduled_tasks.run.database import Connection


class ProviderMissingError(ConfigurationError):
    """The table provider has no row for the provider that a task needs."""


@dataclass(frozen=True)
class Provider:
    """A row of the table provider.

    `read_at` is the database's time when the row was read; later changes are left to the next synchronization.
    """

    id: int
    name: str
    last_synchronized_at: datetime | None
    read_at: datetime


@dataclass(frozen=True)
class VenueProvider:
    """A venue of a provider. `read_at` is as in `Provider`, `id` is the id in venue_provider."""

    id: int
    venue_id: int
    venue: str
    siret: str | None
    last_synchronized_at: datetime | None
    read_at: datetime

    def __str__(self) -> str:
        return f"{self.venue} ({self.siret or 'no SIRET'})"


def provider_by_local_class(connection: Connection, local_class: str) -> Provider:
    """The provider with this local class. Raises ProviderMissingError if the table has no such row."""
    rows = connection.execute(
        "SELECT id, name, last_synchronized_at, clock_timestamp() FROM provider WHERE local_class = %s", [local_class]
    ).fetchall()
    if not rows:
        raise ProviderMissingError(
            f"the table provider has no row with local_class {local_class!r}: insert it, and its venues into "
            "venue_provider, before you activate this task's flag"
        )
    return Provider(*rows[0])


def venues_of(connection: Connection, provider: Provider) -> list[VenueProvider]:
    """The venues of a provider, the longest unsynchronized first."""
    rows = connection.execute(
        """
        SELECT venue_provider.id, venue.id, venue.name, venue.siret, venue_provider.last_synchronized_at,
               clock_timestamp()
          FROM venue_provider
          JOIN venue ON venue.id = venue_provider.venue_id
         WHERE venue_provider.provider_id = %s AND venue_provider.is_active
         ORDER BY venue_provider.last_synchronized_at NULLS FIRST, venue.id
        """,
        [provider.id],
    ).fetchall()
    return [VenueProvider(*row) for row in rows]
