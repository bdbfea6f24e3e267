import datetime as dt

from apscheduler.schedulers.blocking import BlockingScheduler

from shop import app
from shop.tasks.booking import cancel_expired_bookings, count, remind

scheduler = BlockingScheduler(timezone="Europe/Paris")
DAILY = dict(trigger="cron", hour=2)
scheduler.add_job(cancel_expired_bookings, "cron", [app], None, "positions", "By positions", hour="1", minute="05")
scheduler.add_job(trigger="cron", func=count, hour="*/4", minute="0,30", id="keywords_only")
scheduler.add_job(count, **DAILY, minute=15, id="spread")
scheduler.add_job(count, **{**DAILY, "hour": 3}, id="spread_over")
scheduler.add_job(remind, "cron", (app,), {"channel": "mail"}, hour=7, id="args_and_kwargs")
scheduler.add_job(func=remind, trigger="cron", kwargs=dict(app=app, channel="sms", days=2), hour=8, id="kwargs_only")
scheduler.add_job(count, "cron", year="2026-2030", month="jan-mar,12", week="*", day="1st mon,last", hour=6, id="many_fields")
scheduler.add_job(count, "cron", day_of_week="0,2,4", hour=22, minute=59, second=30, id="weekday_numbers")
scheduler.add_job(count, "interval", weeks=1, days=2, hours=3, start_date=dt.datetime(2026, 1, 1, 3, 0), id="mixed_interval")
scheduler.add_job(count, "interval", minutes=90, start_date="2026-01-01 00:00:00", end_date="2030-01-01", id="bounded")
scheduler.add_job(count, "date", run_date=dt.date(2027, 5, 1), id="a_date")
scheduler.add_job(count, "date", run_date="2027-05-01 12:00:00", timezone="UTC", id="a_date_in_utc")
scheduler.add_job(count, "cron", hour=2, timezone="America/New_York", id="a_zone_of_its_own")
scheduler.add_job(count, "cron", minute="*/5", jitter=30, id="with_jitter")
scheduler.start()
