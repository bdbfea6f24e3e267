"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from shop.decorators import log_cron


@log_cron
def decorated_above():
    """Be logged, or not."""
