"""The tasks of the clock background that were in background.py, or not in shop.tasks."""

from datetime import datetime
from scheduled_tasks import log_cron


@log_cron
def tick():
    print(f"Tick! The time is: {datetime.now()}")
