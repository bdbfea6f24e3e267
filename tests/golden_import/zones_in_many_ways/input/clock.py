from datetime import timezone, timedelta
import pytz
from pytz import timezone as zone
from tzlocal import get_localzone
import zoneinfo

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from shop.tasks.booking import count

scheduler = BackgroundScheduler(timezone=get_localzone())
scheduler.add_job(count, "cron", hour=2, minute=30, id="of_the_host")
scheduler.add_job(count, "cron", hour=2, minute=30, timezone=zone("US/Eastern"), id="an_old_name")
scheduler.add_job(count, "cron", hour=2, minute=30, timezone=zoneinfo.ZoneInfo("Australia/Lord_Howe"), id="half_an_hour")
scheduler.add_job(count, "cron", hour=2, timezone=pytz.UTC, id="utc")
scheduler.add_job(count, "cron", hour=2, timezone=timezone.utc, id="utc_too")
scheduler.add_job(count, "cron", hour=2, timezone=timezone(timedelta(hours=2)), id="an_offset")
scheduler.add_job(count, "cron", hour=2, timezone="EST", id="est")
scheduler.add_job(count, CronTrigger.from_crontab("0 4 1,15 * fri", "Europe/Kyiv"), id="crontab_or")
scheduler.start()
