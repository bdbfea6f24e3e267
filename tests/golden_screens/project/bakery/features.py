"""The bakery's flags."""

from enum import Enum

from scheduled_tasks.features import Feature


class Flags(Enum):
    """What can be switched."""

    SYNCHRONIZE_SUPPLIERS = Feature("Fetch prices and stocks from the suppliers")
    SEND_NEWSLETTER = Feature("Send the weekly newsletter to every customer who asked for it")
    OVEN = Feature("Heat the ovens", default=False)
