"""Began with APScheduler 2, and somebody tried 4."""
from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

sched = BlockingScheduler(timezone="Europe/Paris")
sched.add_job(count, "cron", hour=1, id="of_three")


def of_two(sched):
    sched.add_cron_job(count, hour=2)
    sched.add_interval_job(count, minutes=5)


def of_four(scheduler):
    scheduler.add_schedule(count, "cron", hour=3)


sched.start()
