from apscheduler.schedulers.blocking import *
from shop.tasks.booking import *

scheduler = BlockingScheduler(timezone="Europe/Paris")
scheduler.add_job(count, "cron", hour=1)
scheduler.start()
