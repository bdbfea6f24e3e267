from apscheduler.schedulers.blocking import BlockingScheduler

from shop import app
from shop.tasks.booking import cancel_expired_bookings

scheduler = BlockingScheduler(timezone="Europe/Paris")
scheduler.add_job(cancel_expired_bookings, "cron", [app], hour=2)
scheduler.start()
