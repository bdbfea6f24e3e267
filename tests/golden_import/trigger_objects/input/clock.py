from datetime import datetime

import pytz
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from shop.tasks.booking import count

TZ = pytz.timezone("America/New_York")
scheduler = BlockingScheduler(timezone=TZ)
scheduler.add_job(count, CronTrigger(hour=2, minute=30, timezone=TZ), id="in_the_clocks_zone")
scheduler.add_job(count, CronTrigger(hour=2, minute=30), id="in_the_hosts_zone")
scheduler.add_job(count, CronTrigger(day="last", hour=23, timezone="UTC"), id="last_day")
scheduler.add_job(count, CronTrigger.from_crontab("30 4 * * 1-5"), id="crontab_weekdays")
scheduler.add_job(count, CronTrigger.from_crontab("*/10 8-18 * * *", timezone="Europe/London"), id="crontab_office")
scheduler.add_job(count, IntervalTrigger(weeks=2, start_date="2026-01-05 08:00:00", timezone=TZ), id="fortnightly")
scheduler.add_job(count, DateTrigger(run_date=datetime(2027, 1, 31, 6, 0), timezone=TZ), id="once")
scheduler.add_job(
    count, OrTrigger([CronTrigger(hour=3, timezone=TZ), CronTrigger(day_of_week="sun", hour=15, timezone=TZ)]), id="either"
)
scheduler.add_job(count, AndTrigger([CronTrigger(hour=3), CronTrigger(day=13)]), id="both")
scheduler.start()
