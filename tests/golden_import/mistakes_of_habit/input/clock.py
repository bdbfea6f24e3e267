"""Mistakes that run, or seem to."""
from apscheduler.schedulers.background import BackgroundScheduler

from shop import app
from shop.jobs import poll
from shop.tasks.booking import cancel_expired_bookings, count, remind

scheduler = BackgroundScheduler(timezone="Europe/Paris")
scheduler.add_job(count, "cron", minute=5, hour="*", id="fine")
scheduler.add_job(count, "cron", hour=2, minute="*", id="sixty_times")
scheduler.add_job(count, "cron", day_of_week=7, hour=2, id="weekday_seven")
scheduler.add_job(count, "cron", day=31, month="2", hour=2, id="never")
scheduler.add_job(count, "cron", day_of_week="sunday", hour=2, id="long_name")
scheduler.add_job(count, "cron", hour="2:30", id="time_of_day")
scheduler.add_job(count, "crontab", "0 2 * * *", id="no_such_trigger")
scheduler.add_job(count, "interval", minutes="5", id="text_for_a_number")
scheduler.add_job(count, "interval", minutes=0, id="nothing_between")
scheduler.add_job(count, "interval", minutes=5, args=app, id="args_is_no_list")
scheduler.add_job(remind, "cron", args=[app, "mail"], kwargs={"day": 2}, hour=2, id="no_such_argument")
scheduler.add_job(cancel_expired_bookings, "cron", args=(app), hour=2, id="a_tuple_without_comma")
scheduler.add_job("shop.tasks.booking.count", "cron", hour=2, id="dotted_text")
scheduler.add_job(count, "cron", hour=2, misfire_grace_time=0, id="no_grace")
scheduler.add_job(count, "cron", hours=2, id="hours_for_hour")
scheduler.add_job(count, "interval", hour=2, id="hour_for_hours")
scheduler.add_job(count, "cron", second=0, id="each_minute")
scheduler.add_job(count, "cron", month=13, id="month_thirteen")
scheduler.add_job(print, "cron", ["hello"], hour=2, id="a_builtin")
scheduler.add_job(poll(), "cron", hour=2, id="a_coroutine_called")
scheduler.start()
