from enum import Enum

from scheduled_tasks import Feature


class FeatureToggle(Enum):
    SEND_MAIL = Feature("Send mail to customers", default=True)
