"""Every plain form of a cron field."""

from shop.tasks.booking import cancel_expired_bookings, count

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(cancel_expired_bookings, "cron", [app], id="cancel_expired_bookings", day="*", hour="2")
scheduler.add_job(count, "cron", id="every_five_minutes", minute="*/5")
scheduler.add_job(count, "cron", id="list_of_numbers", hour="1,13", minute=30)
scheduler.add_job(count, "cron", id="range_with_step", hour="8-18/2")
scheduler.add_job(count, "cron", id="weekdays_from_monday_0", day_of_week="0-4", hour=6)
scheduler.add_job(count, "cron", id="first_of_quarter", month="*/3", day=1)
scheduler.add_job(count, "cron", id="every_second_minute_of_an_hour", hour=5, minute="*/2", second=10)
scheduler.add_job(count, "cron", id="one_year", year=2030)
