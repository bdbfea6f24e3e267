"""Bookings: tasks with and without an application and arguments; none does anything."""

from typing import Any

from scheduled_tasks import cron_context, cron_idempotent, cron_require_feature, log_cron
from shop.features import FeatureToggle


@log_cron
@cron_context
def cancel_expired_bookings(app: Any) -> None:
    """Cancel bookings that nobody has confirmed."""


@log_cron
@cron_context
def remind(app: Any, channel: str, *, days: int = 1) -> None:
    """Remind of tomorrow's bookings.

    What stands below the first line is not the description.
    """


@log_cron
def count() -> None:
    """Count everything."""


@cron_idempotent
@log_cron
def recount() -> None:
    """Count everything anew, as often as it takes."""


@cron_idempotent
@log_cron
@cron_require_feature(FeatureToggle.RESTOCK)
def restock() -> None:
    """Order what is out of stock."""
