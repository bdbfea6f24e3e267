"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from scheduled_tasks import log_cron


@log_cron
def timed_job():
    print('This job is run every three minutes.')


@log_cron
def scheduled_job():
    print('This job is run every weekday at 5pm.')


# two schedules on one function
@log_cron
def weekend():
    print('weekend')
