import os

from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

scheduler = BlockingScheduler(timezone="Europe/Paris")


def sweep():
    """Sweep."""


scheduler.add_job(sweep(), "cron", id="called", hour=1)
scheduler.add_job(count, "cron", id="minutes_for_minute", minutes="*/5")
for hour in os.environ["HOURS"].split(","):
    scheduler.add_job(count, "cron", id=f"at_{hour}", hour=hour)
scheduler.start()
