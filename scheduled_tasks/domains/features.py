"""The feature flags of the worked example."""

from __future__ import annotations

from enum import Enum

from scheduled_tasks import Feature


class FeatureToggle(Enum):
    """The flags of the worked example. Tasks that call another company's service are off by default."""

    CANCEL_EXPIRED_BOOKINGS = Feature("Cancel bookings that were never confirmed, and return their places")
    MARK_PAST_BOOKINGS_USED = Feature("Mark confirmed bookings of past events as used")
    SYNCHRONIZE_TITELIVE = Feature("Update the stocks of venues from Titelive", default=False)
    SYNCHRONIZE_TITELIVE_PRODUCTS = Feature("Update the product catalogue from Titelive", default=False)
    INDEX_OFFERS = Feature("Send changed offers to the search index", default=False)
    DELETE_EXPIRED_OFFERS = Feature("Delete expired offers from the search index", default=False)
