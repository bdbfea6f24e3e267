"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from scheduled_tasks import log_cron


@log_cron
def my_job():
    """Do what is done every ten seconds."""
