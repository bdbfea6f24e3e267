from datetime import date, datetime, timedelta

from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

START = datetime(2026, 12, 1, 8, 30)
scheduler = BlockingScheduler(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="third_friday", month="6-8,11-12", day="3rd fri", hour="0-3")
scheduler.add_job(count, "cron", id="last_sunday", day="last sun", hour=4)
scheduler.add_job(count, "cron", id="week_numbers", week="1-53/2", day_of_week="mon", hour=4)
scheduler.add_job(count, "cron", id="all_night", hour="0-6", minute="*/30")
scheduler.add_job(count, "cron", id="two_and_three", hour="2,3", minute=30)
scheduler.add_job(count, "cron", id="every_six_hours", hour="*/6")
scheduler.add_job(count, "cron", id="seconds", second="*/20")
scheduler.add_job(count, "cron", id="years", year="2027-2029", month=2, day=29)
scheduler.add_job(count, "cron", id="leap_day", month=2, day=29, hour=12)
scheduler.add_job(count, "cron", id="window", hour=9, start_date=START, end_date=START + timedelta(days=60))
scheduler.add_job(count, "cron", id="until", hour=9, end_date=date(2027, 2, 1))
scheduler.add_job(count, "cron", id="elsewhere", hour=2, minute=30, timezone="America/New_York")
scheduler.add_job(count, "cron", id="jittered", hour=5, jitter=120)
scheduler.add_job(count, "interval", id="ninety", minutes=90, start_date="2026-11-01 00:15:00")
scheduler.add_job(count, "interval", id="weekly", weeks=1)
scheduler.add_job(count, "date", id="once", run_date="2027-03-28 02:30:00")
scheduler.add_job(count, "date", id="past", run_date=date(2020, 1, 1))
scheduler.add_job(count, "cron", id="paused", hour=3, next_run_time=None)
scheduler.add_job(count, "cron", id="now_first", hour=3, next_run_time=datetime.now())
scheduler.start()
