"""Algolia: update the search index with the offers that changed, and delete those that expired.

The table offer_index_queue has the offers to send; one request sends a batch. An offer leaves the queue only after the
service accepted it. No transaction is open during a request: a batch is reserved for a while instead, so that changing
an offer never has to wait, and no change is lost.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from scheduled_tasks import cron_context, cron_require_feature, log_cron
from scheduled_tasks.domains._search_service import Change, SearchIndex
from scheduled_tasks.domains.features import FeatureToggle
from scheduled_tasks.errors import ScheduledTasksError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduled_tasks.domains._service import ServiceError
    from scheduled_tasks.domains.application import Application
    from scheduled_tasks.run.database import Connection

logger = logging.getLogger(__name__)

# `taken_until` is later than the end of the slowest batch: four attempts, at most a minute apart.
_TAKE = """
WITH free AS (
    SELECT offer_id
      FROM offer_index_queue
     WHERE (taken_until IS NULL OR taken_until <= now())
       AND offer_id <> ALL (%(refused)s)
       AND (NOT %(only_expired)s
            OR EXISTS (SELECT FROM offer WHERE offer.id = offer_id AND offer.expires_at <= now()))
     ORDER BY queued_at, offer_id
     LIMIT %(batch_size)s
       FOR UPDATE SKIP LOCKED
)
UPDATE offer_index_queue
   SET taken_until = now() + interval '15 minutes'
  FROM free
 WHERE offer_index_queue.offer_id = free.offer_id
RETURNING offer_index_queue.offer_id, offer_index_queue.revision
"""

# Read after the batch was taken: an offer that changes later has another revision and is sent again.
_READ = """
SELECT taken.offer_id,
       CASE WHEN offer.is_active AND (offer.expires_at IS NULL OR offer.expires_at > now())
            THEN jsonb_build_object(
                'name', offer.name,
                'type', offer.type,
                'venue', venue.name,
                'price', (SELECT min(price) FROM stock WHERE stock.offer_id = offer.id)
            )
        END
  FROM unnest(%(ids)s::bigint[]) AS taken (offer_id)
  LEFT JOIN offer ON offer.id = taken.offer_id
  LEFT JOIN venue ON venue.id = offer.venue_id
 ORDER BY taken.offer_id
"""

_DONE = """
WITH done AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(revisions)s::bigint[], %(present)s::boolean[])
        AS done (offer_id, revision, present)
), left_queue AS (
    DELETE FROM offer_index_queue AS queue USING done
     WHERE queue.offer_id = done.offer_id AND queue.revision = done.revision
), stays AS (  -- the offer changed meanwhile
    UPDATE offer_index_queue AS queue SET taken_until = NULL FROM done
     WHERE queue.offer_id = done.offer_id AND queue.revision <> done.revision
)
UPDATE offer SET indexed_at = CASE WHEN done.present THEN now() END FROM done WHERE offer.id = done.offer_id
"""

_GIVE_BACK = "UPDATE offer_index_queue SET taken_until = NULL WHERE offer_id = ANY (%(ids)s)"

_QUEUE_EXPIRED = """
INSERT INTO offer_index_queue (offer_id)
SELECT id FROM offer WHERE indexed_at IS NOT NULL AND expires_at <= now() ORDER BY id
ON CONFLICT (offer_id) DO NOTHING
"""


class OffersRefusedError(ScheduledTasksError):
    """The search service refused some offers; they stay in the queue."""

    def __init__(self, refused: Mapping[int, ServiceError]) -> None:
        self.offers = tuple(refused)
        reasons = "; ".join(f"offer {offer}: {error}" for offer, error in refused.items())
        super().__init__(f"{len(refused)} refused, staying in the queue: {reasons}")


@log_cron
@cron_context
@cron_require_feature(FeatureToggle.INDEX_OFFERS)
def index_offers(app: Application, *, batch_size: int = 500) -> None:
    """Send the offers in the queue to the search index, and delete from it those that are not for sale.

    Raises ServiceError if the service accepts nothing now, OffersRefusedError if it accepted all but some offers.
    """
    indexed, deleted = _drain(app.connection, batch_size, only_expired=False)
    logger.info("offers indexed", extra={"indexed": indexed, "deleted": deleted})


@log_cron
@cron_context
@cron_require_feature(FeatureToggle.DELETE_EXPIRED_OFFERS)
def delete_expired_offers(app: Application, *, batch_size: int = 500) -> None:
    """Delete expired offers from the search index.

    They go through the same queue, so that no older record of an offer arrives after its deletion. Raises the errors
    of `index_offers`.
    """
    with app.connection.transaction():
        app.connection.execute(_QUEUE_EXPIRED)
    _, deleted = _drain(app.connection, batch_size, only_expired=True)
    logger.info("expired offers deleted", extra={"deleted": deleted})


def _drain(connection: Connection, batch_size: int, *, only_expired: bool) -> tuple[int, int]:
    """Send batches until the queue is empty. Returns how many offers were indexed and how many deleted."""
    indexed = deleted = 0
    refused: dict[int, ServiceError] = {}
    with SearchIndex() as index:
        while taken := _take(connection, batch_size, refused, only_expired=only_expired):
            try:
                changes = _read(connection, list(taken))
                refused_now = index.send(changes)
                done = [change for change in changes if change.offer_id not in refused_now]
                _finish(connection, done, taken)
            except BaseException:
                _give_back(connection, list(taken))
                raise
            _give_back(connection, list(refused_now))
            refused |= refused_now
            indexed += sum(change.record is not None for change in done)
            deleted += sum(change.record is None for change in done)
    if refused:
        raise OffersRefusedError(refused)
    return indexed, deleted


def _take(
    connection: Connection, batch_size: int, refused: Mapping[int, ServiceError], *, only_expired: bool
) -> dict[int, int]:
    """Reserve the next batch for this run: the revision of each offer by its id."""
    values = {"batch_size": batch_size, "refused": list(refused), "only_expired": only_expired}
    with connection.transaction():
        return dict(connection.execute(_TAKE, values).fetchall())


def _read(connection: Connection, ids: list[int]) -> list[Change]:
    with connection.transaction():
        rows = connection.execute(_READ, {"ids": ids}).fetchall()
    return [Change(offer_id, record) for offer_id, record in rows]


def _finish(connection: Connection, done: list[Change], taken: Mapping[int, int]) -> None:
    """Remove accepted offers from the queue unless they have changed since they were reserved."""
    values: dict[str, list[Any]] = {
        "ids": [change.offer_id for change in done],
        "revisions": [taken[change.offer_id] for change in done],
        "present": [change.record is not None for change in done],
    }
    with connection.transaction():
        connection.execute(_DONE, values)


def _give_back(connection: Connection, ids: list[int]) -> None:
    with connection.transaction():
        connection.execute(_GIVE_BACK, {"ids": ids})
