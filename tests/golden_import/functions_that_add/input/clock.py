from apscheduler.schedulers.background import BackgroundScheduler
from pytz import utc

from shop.tasks.booking import count


def add_nightly(scheduler, hour, minute=0):
    scheduler.add_job(count, "cron", id="nightly_%s" % hour, hour=hour, minute=minute)


def make_scheduler():
    scheduler = BackgroundScheduler(timezone=utc)
    add_nightly(scheduler, 1)
    add_nightly(scheduler, 2, minute=20)
    return scheduler


if __name__ == "__main__":
    s = make_scheduler()
    s.add_job(count, "cron", hour=12)
    s.start()
