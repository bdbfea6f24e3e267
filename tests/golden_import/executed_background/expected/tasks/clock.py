"""The tasks of the clock clock that stood in clock.py, or elsewhere than in shop.tasks."""

from scheduled_tasks import log_cron


@log_cron
def tick():
    """Say that time goes on."""
