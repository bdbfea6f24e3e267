"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from scheduled_tasks import log_cron


@log_cron
def tick():
    """Say that time goes on."""
