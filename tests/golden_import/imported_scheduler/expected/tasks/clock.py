"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from scheduled_tasks import log_cron
from shop.tasks.booking import count


@log_cron
def nightly():
    """Run at night."""
    count()
