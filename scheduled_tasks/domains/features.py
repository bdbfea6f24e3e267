"""The feature flags of the worked example."""

from __future__ import annotations

from enum import Enum

from scheduled_tasks import Feature


class FeatureToggle(Enum):
    """The flags of the worked example. What speaks to another company's service starts switched off."""

    CANCEL_EXPIRED_BOOKINGS = Feature("Cancel bookings that nobody has confirmed, and give their places back")
    MARK_PAST_BOOKINGS_USED = Feature("Mark confirmed bookings of past events as used")
    SYNCHRONIZE_TITELIVE = Feature("Take venues' stocks over from Titelive", default=False)
    SYNCHRONIZE_TITELIVE_PRODUCTS = Feature("Take the catalogue of things over from Titelive", default=False)
    INDEX_OFFERS = Feature("Send changed offers to the search index", default=False)
    DELETE_EXPIRED_OFFERS = Feature("Take expired offers out of the search index", default=False)
