"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

import os
from scheduled_tasks import log_cron

API_KEY = os.environ["API_KEY"]


@log_cron
def synchronise(key=API_KEY):
    """Synchronise."""
