from bakery.tasks.shop import count, heat_ovens, send_newsletter
from scheduled_tasks import Clock

scheduler = Clock()
scheduler.add_job(count, "cron", id="count", hour=2)
scheduler.add_job(count, "cron", id="count_in_new_york", hour=18, timezone="America/New_York")
scheduler.add_job(heat_ovens, "cron", id="heat_ovens", hour=5, day_of_week="mon-sat")
scheduler.add_job(send_newsletter, "cron", id="send_newsletter", day_of_week="thu", hour=9)
scheduler.add_job(count, "date", id="count_once", run_date="2036-01-01 00:00:00")
