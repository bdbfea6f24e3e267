from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks import booking
from shop.tasks.booking import count

scheduler = BlockingScheduler(timezone="Europe/Paris")
for name in dir(booking):
    if name.startswith("co"):
        scheduler.add_job(getattr(booking, name), "cron", id=name, hour=4)


class Holder:
    def add(self):
        scheduler.add_job(count, "cron", id="in_a_class", hour=5)


scheduler.add_job(count, "cron", id="plain", hour=6)
scheduler.start()
