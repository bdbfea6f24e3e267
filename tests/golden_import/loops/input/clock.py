from apscheduler.schedulers.blocking import BlockingScheduler

from shop import app
from shop.tasks.booking import cancel_expired_bookings, count, remind

JOBS = [
    (cancel_expired_bookings, {"hour": 1}),
    (count, {"hour": "2,3", "minute": 30}),
]
BY_NAME = {"mail": 8, "text": 20}

scheduler = BlockingScheduler(timezone="Europe/Paris")
for function, when in JOBS:
    args = [app] if function is cancel_expired_bookings else []
    scheduler.add_job(function, "cron", args=args, id=function.__name__, **when)
for channel, hour in BY_NAME.items():
    scheduler.add_job(remind, "cron", args=[app, channel], kwargs={"days": 2}, id=f"remind_{channel}", hour=hour)
for number, weekday in enumerate(["mon", "thu"]):
    scheduler.add_job(count, "cron", id="count_%d" % number, day_of_week=weekday, hour=5 + number)
for hour in range(10, 13):
    scheduler.add_job(count, "cron", hour=hour, minute=15)
scheduler.start()
