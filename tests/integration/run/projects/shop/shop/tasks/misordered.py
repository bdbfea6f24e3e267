"""A domain whose decorators are in the wrong order."""

from scheduled_tasks import cron_require_feature, log_cron
from shop.features import FeatureToggle


@cron_require_feature(FeatureToggle.SELL)
@log_cron
def sell() -> None:
    pass
