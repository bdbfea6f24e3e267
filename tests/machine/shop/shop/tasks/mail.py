from scheduled_tasks import cron_require_feature, log_cron
from shop.features import FeatureToggle


@log_cron
@cron_require_feature(FeatureToggle.SEND_MAIL)
def remind():
    """Remind customers of what they reserved."""
