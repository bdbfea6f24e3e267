"""The project's flags."""

from enum import Enum

from scheduled_tasks import Feature


class FeatureToggle(Enum):
    SELL = Feature("Sell things")
    GIVE_AWAY = Feature("Give things away", default=False)
