"""Bookings: cancel those that were never confirmed, and mark those of past events as used.

The tasks change the tables booking and stock, one batch in each transaction, and log a summary. Both can run twice,
even at the same time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from scheduled_tasks import cron_context, cron_require_feature, log_cron
from scheduled_tasks.domains.features import FeatureToggle

if TYPE_CHECKING:
    from scheduled_tasks.domains.application import Application

logger = logging.getLogger(__name__)

# Returns the next expired bookings and locks their stocks, in the order of their ids. Bookings are locked afterwards,
# and never waited for. So nobody who locks in that order, or one row of each in any order, can deadlock with this task.
_NEXT_EXPIRED = """
WITH expired AS MATERIALIZED (
    SELECT booking.id, booking.stock_id
      FROM booking
      JOIN stock ON stock.id = booking.stock_id
      JOIN offer ON offer.id = stock.offer_id
     WHERE booking.status = 'pending'
       AND booking.id > %(after)s
       AND booking.created_at
           <= now() - CASE offer.type WHEN 'book' THEN interval '10 days' ELSE interval '30 days' END
     ORDER BY booking.id
     LIMIT %(batch_size)s
), locked AS MATERIALIZED (
    SELECT id FROM stock WHERE id IN (SELECT stock_id FROM expired) ORDER BY id FOR NO KEY UPDATE
)
SELECT coalesce(array_agg(expired.id ORDER BY expired.id), '{}') FROM expired JOIN locked ON locked.id = stock_id
"""

_CANCEL = """
WITH free AS (
    SELECT id FROM booking WHERE id = ANY (%(ids)s) AND status = 'pending' FOR UPDATE SKIP LOCKED
), cancelled AS (
    UPDATE booking
       SET status = 'cancelled', cancelled_at = now(), cancellation_reason = 'expired'
      FROM free
     WHERE booking.id = free.id
 RETURNING booking.stock_id, booking.quantity
), given_back AS (
    UPDATE stock
       SET quantity = stock.quantity + given.quantity
      FROM (SELECT stock_id, sum(quantity) AS quantity FROM cancelled GROUP BY stock_id) AS given
     WHERE stock.id = given.stock_id
)
SELECT count(*), coalesce(sum(quantity), 0) FROM cancelled
"""

_MARK_USED = """
WITH past AS (
    SELECT booking.id
      FROM booking
      JOIN stock ON stock.id = booking.stock_id
     WHERE booking.status = 'confirmed' AND stock.ends_at <= now()
     LIMIT %(batch_size)s
       FOR UPDATE OF booking SKIP LOCKED
)
UPDATE booking SET status = 'used', used_at = now() FROM past WHERE booking.id = past.id
"""


@log_cron
@cron_context
@cron_require_feature(FeatureToggle.CANCEL_EXPIRED_BOOKINGS)
def cancel_expired_bookings(app: Application, *, batch_size: int = 500) -> None:
    """Cancel the bookings still pending after 30 days (10 for books) and give their quantity back to the stock.

    A booking that is being changed at that moment is left to the next run.
    """
    cancelled = given_back = after = 0
    while True:
        with app.connection.transaction():
            [(ids,)] = app.connection.execute(_NEXT_EXPIRED, {"after": after, "batch_size": batch_size}).fetchall()
            if not ids:
                break
            [(bookings, quantity)] = app.connection.execute(_CANCEL, {"ids": ids}).fetchall()
        after = ids[-1]
        cancelled += bookings
        given_back += quantity
    logger.info("expired bookings cancelled", extra={"cancelled": cancelled, "quantity_given_back": given_back})


@log_cron
@cron_context
@cron_require_feature(FeatureToggle.MARK_PAST_BOOKINGS_USED)
def mark_past_bookings_used(app: Application, *, batch_size: int = 500) -> None:
    """Mark the confirmed bookings of events that are over as used."""
    used = 0
    while True:
        with app.connection.transaction():
            marked = app.connection.execute(_MARK_USED, {"batch_size": batch_size}).rowcount
        if not marked:
            break
        used += marked
    logger.info("past bookings marked used", extra={"used": used})
