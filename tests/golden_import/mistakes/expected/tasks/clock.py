"""The tasks of the clock clock that stood in clock.py, or elsewhere than in shop.tasks."""

from shop.decorators import log_cron


@log_cron
def decorated_above():
    """Be logged, or not."""
