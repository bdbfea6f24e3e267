"""The tasks of the clock clock that stood in clock.py, or elsewhere than in shop.tasks."""

from datetime import datetime
from scheduled_tasks import log_cron


@log_cron
def tick():
    print("Tick! The time is: %s" % datetime.now())
