"""The tasks of the clock flask_clock that were in flask_clock.py, or not in shop.tasks."""

from scheduled_tasks import log_cron


@log_cron
def job1():
    """Do the first job."""
    print("Job 1 executed")
