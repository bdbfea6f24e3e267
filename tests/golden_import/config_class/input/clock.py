import os
from enum import Enum

from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count, remind
from shop import app


class Config:
    TIMEZONE = "Europe/Paris"
    NIGHT_HOUR = 2
    OFFICE_HOURS = "9-17"
    COUNT_MINUTE = os.environ.get("COUNT_MINUTE", "15")

    class Mail:
        HOUR = 7


class Day(str, Enum):
    MONDAY = "mon"
    FRIDAY = "fri"


cfg = Config()
scheduler = BlockingScheduler(timezone=Config.TIMEZONE)
scheduler.add_job(count, "cron", hour=Config.NIGHT_HOUR, minute=30, id="night")
scheduler.add_job(count, "cron", hour=cfg.OFFICE_HOURS, minute=0, id="office")
scheduler.add_job(remind, "cron", [app, "mail"], hour=Config.Mail.HOUR, day_of_week=Day.MONDAY.value, id="mail")
scheduler.add_job(count, "cron", hour=3, minute=Config.COUNT_MINUTE, id="count")
scheduler.start()
