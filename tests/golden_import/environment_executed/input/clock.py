import os

from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

scheduler = BlockingScheduler(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="at_hour", hour=os.environ.get("SYNC_HOUR", "5"))
scheduler.add_job(count, "interval", id="every", minutes=int(os.environ["EVERY_MINUTES"]))
if os.getenv("WITH_EXTRA") == "1":
    scheduler.add_job(count, "cron", id="extra", hour=7)
scheduler.add_job(count, "cron", id="plain", hour=6, minute=2 * 15)
scheduler.start()
