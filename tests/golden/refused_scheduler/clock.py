"""The clock file of APScheduler as it was: it starts a scheduler, and would never end."""

from apscheduler.schedulers.blocking import BlockingScheduler
from shop.tasks.booking import count

scheduler = BlockingScheduler(timezone="Europe/Paris")
scheduler.add_job(count, "cron", hour=3)
scheduler.start()
