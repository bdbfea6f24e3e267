"""The feature flags of the golden cases."""

from enum import Enum

from scheduled_tasks import Feature


class FeatureToggle(Enum):
    """A flag."""

    RESTOCK = Feature("Order what is out of stock")
