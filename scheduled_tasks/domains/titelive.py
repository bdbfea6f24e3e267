"""Titelive: synchronize the stocks of venues and the product catalogue with its HTTP service.

Pages of the service go in. Products, offers and stocks are written, one page in each transaction, and changed offers
are queued for the search index. A synchronization that fails is repeated from the start: the time up to which it is
complete is written only at its end.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from scheduled_tasks import cron_context, cron_require_feature, log_cron
from scheduled_tasks.domains import _titelive_service
from scheduled_tasks.domains._provider import VenueProvider, provider_by_local_class, venues_of
from scheduled_tasks.domains._service import ServiceError
from scheduled_tasks.domains.features import FeatureToggle
from scheduled_tasks.errors import ScheduledTasksError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduled_tasks.domains._service import Service
    from scheduled_tasks.domains._titelive_service import StockEntry
    from scheduled_tasks.domains.application import Application
    from scheduled_tasks.run.database import Connection

logger = logging.getLogger(__name__)


class VenuesFailedError(ScheduledTasksError):
    """Some venues could not be synchronized."""

    def __init__(self, failures: Mapping[VenueProvider, Exception], venues: int) -> None:
        self.venues = tuple(failures)
        reasons = "; ".join(f"{venue}: {error}" for venue, error in failures.items())
        super().__init__(f"{len(failures)} of {venues} venues could not be synchronized: {reasons}")


# First lock the stocks in the order of their ids, as cancel_expired_bookings does.
_LOCK_STOCKS = """
SELECT stock.id
  FROM stock
  JOIN offer ON offer.id = stock.offer_id
  JOIN product ON product.id = offer.product_id
 WHERE offer.venue_id = %(venue_id)s AND product.ean = ANY (%(refs)s) AND stock.ends_at IS NULL
 ORDER BY stock.id
   FOR NO KEY UPDATE OF stock
"""

_ADD_OFFERS = """
INSERT INTO offer (venue_id, product_id, name, type)
SELECT %(venue_id)s, id, title, type FROM product WHERE ean = ANY (%(refs)s) ORDER BY id
ON CONFLICT (venue_id, product_id) DO NOTHING
"""

# A stock without a price of its own keeps its current one, or takes the product's single price; without either it can't
# be sold. An unchanged stock is not written, and its offer not queued.
_UPSERT_STOCKS = """
WITH received AS (
    SELECT offer.id AS offer_id, entry.available, coalesce(entry.price, stock.price, product.price) AS price
      FROM unnest(%(refs)s::text[], %(available)s::integer[], %(prices)s::numeric[]) AS entry (ref, available, price)
      JOIN product ON product.ean = entry.ref
      JOIN offer ON offer.product_id = product.id AND offer.venue_id = %(venue_id)s
      LEFT JOIN stock ON stock.offer_id = offer.id AND stock.ends_at IS NULL
), upserted AS (
    INSERT INTO stock (offer_id, quantity, price)
    SELECT offer_id, available, price FROM received WHERE price IS NOT NULL ORDER BY offer_id
    ON CONFLICT (offer_id) WHERE ends_at IS NULL
    DO UPDATE SET quantity = excluded.quantity, price = excluded.price
            WHERE (stock.quantity, stock.price) IS DISTINCT FROM (excluded.quantity, excluded.price)
 RETURNING offer_id
), queued AS (
    INSERT INTO offer_index_queue (offer_id)
    SELECT offer_id FROM upserted ORDER BY offer_id
    ON CONFLICT (offer_id) DO UPDATE SET revision = offer_index_queue.revision + 1
)
SELECT (SELECT count(*) FROM upserted),
       (SELECT count(*) FROM received WHERE price IS NULL),
       cardinality(%(refs)s::text[]) - (SELECT count(*) FROM received)
"""

_UPSERT_PRODUCTS = """
INSERT INTO product (ean, title, type, price)
SELECT * FROM unnest(%(refs)s::text[], %(titles)s::text[], %(types)s::text[], %(prices)s::numeric[]) AS entry (ean)
 ORDER BY ean
ON CONFLICT (ean)
DO UPDATE SET title = excluded.title, type = excluded.type, price = excluded.price
        WHERE (product.title, product.type, product.price)
              IS DISTINCT FROM (excluded.title, excluded.type, excluded.price)
"""


@log_cron
@cron_context
@cron_require_feature(FeatureToggle.SYNCHRONIZE_TITELIVE)
def synchronize_titelive_stocks(app: Application) -> None:
    """Update the stocks of venues from Titelive.

    Raises VenuesFailedError after the last venue if some failed, and names them.
    """
    with app.connection.transaction():
        provider = provider_by_local_class(app.connection, "TiteLiveStocks")
        venues = venues_of(app.connection, provider)
    failures: dict[VenueProvider, Exception] = {}
    with _titelive_service.connect() as service:
        for venue in venues:
            try:
                _synchronize_venue(app.connection, service, venue)
            except (ServiceError, VenueWithoutSiretError) as error:
                failures[venue] = error
                logger.error(  # noqa: TRY400 - the reason is complete, a traceback adds nothing
                    "a venue could not be synchronized", extra={"venue": str(venue), "because": str(error)}
                )
    logger.info("stocks synchronized", extra={"venues": len(venues), "venues_failed": len(failures)})
    if failures:
        raise VenuesFailedError(failures, len(venues))


@log_cron
@cron_context
@cron_require_feature(FeatureToggle.SYNCHRONIZE_TITELIVE_PRODUCTS)
def synchronize_titelive_products(app: Application) -> None:
    """Update the product catalogue from Titelive.

    Raises ServiceError if a page can't be fetched; the pages before it are kept.
    """
    with app.connection.transaction():
        provider = provider_by_local_class(app.connection, "TiteLiveThings")
    received = changed = 0
    with _titelive_service.connect() as service:
        for page in _titelive_service.product_pages(service, provider.last_synchronized_at):
            columns: dict[str, list[Any]] = {
                "refs": [entry.ref for entry in page],
                "titles": [entry.title for entry in page],
                "types": [entry.type for entry in page],
                "prices": [entry.price for entry in page],
            }
            with app.connection.transaction():
                changed += app.connection.execute(_UPSERT_PRODUCTS, columns).rowcount
            received += len(page)
    with app.connection.transaction():
        app.connection.execute(
            "UPDATE provider SET last_synchronized_at = %s WHERE id = %s", [provider.read_at, provider.id]
        )
    logger.info("products synchronized", extra={"products": received, "products_changed": changed})


class VenueWithoutSiretError(ScheduledTasksError):
    """The venue has no SIRET, which identifies it to Titelive: write it into the table venue."""


def _synchronize_venue(connection: Connection, service: Service, venue: VenueProvider) -> None:
    if venue.siret is None:
        raise VenueWithoutSiretError
    received = changed = without_price = unknown = 0
    for page in _titelive_service.stock_pages(service, venue.siret, venue.last_synchronized_at):
        with connection.transaction():
            counts = _write_stocks(connection, venue.venue_id, page)
        received += len(page)
        changed += counts[0]
        without_price += counts[1]
        unknown += counts[2]
    with connection.transaction():
        connection.execute(
            "UPDATE venue_provider SET last_synchronized_at = %s WHERE id = %s", [venue.read_at, venue.id]
        )
    logger.info(
        "stocks of a venue synchronized",
        extra={
            "venue": str(venue),
            "stocks": received,
            "stocks_changed": changed,
            "stocks_without_price": without_price,
            "stocks_of_unknown_products": unknown,
        },
    )


def _write_stocks(connection: Connection, venue_id: int, page: list[StockEntry]) -> tuple[int, int, int]:
    """Write a page of stocks. Returns how many changed, have no price, are of unknown products."""
    values = {
        "venue_id": venue_id,
        "refs": [entry.ref for entry in page],
        "available": [entry.available for entry in page],
        "prices": [entry.price for entry in page],
    }
    connection.execute(_LOCK_STOCKS, values)
    connection.execute(_ADD_OFFERS, values)
    [(changed, without_price, unknown)] = connection.execute(_UPSERT_STOCKS, values).fetchall()
    return changed, without_price, unknown
