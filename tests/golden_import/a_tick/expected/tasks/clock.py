"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from datetime import datetime
from scheduled_tasks import log_cron


@log_cron
def tick():
    print("Tick! The time is: %s" % datetime.now())
