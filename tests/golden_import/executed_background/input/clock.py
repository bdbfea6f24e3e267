import functools
import time

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from shop import create_app
from shop.tasks import booking
from shop.tasks.booking import cancel_expired_bookings, remind


def tick():
    """Say that time goes on."""


def schedule_all(scheduler, app):
    for name in sorted(vars(booking)):
        if name == "count":
            scheduler.add_job(getattr(booking, name), "cron", id=name, hour=4)
    scheduler.add_job(cancel_expired_bookings, "cron", [app], id="cancel", hour=2, minute=30)
    scheduler.add_job(functools.partial(remind, app, "mail"), CronTrigger(day="last sun", hour=9), id="remind")
    scheduler.add_job(tick, IntervalTrigger(minutes=3), id="tick")
    scheduler.add_job(lambda: None, "cron", hour=1, id="anonymous")


def main():
    scheduler = BackgroundScheduler({"apscheduler.timezone": "Europe/Paris"})
    schedule_all(scheduler, create_app())
    scheduler.start()
    try:
        while True:
            time.sleep(2)
    except (KeyboardInterrupt, SystemExit):
        scheduler.shutdown()


if __name__ == "__main__":
    main()
