import time

from apscheduler.schedulers.background import BackgroundScheduler

from shop.tasks import booking

scheduler = BackgroundScheduler(job_defaults={"coalesce": True, "max_instances": 3, "misfire_grace_time": 300})
scheduler.configure(timezone="Europe/Paris")
scheduler.add_job(booking.count, trigger="cron", hour="3", id="count", name="Count it all")
scheduler.add_job(func=booking.count, trigger="interval", hours=4, start_date="2026-01-01 01:00:00", id="four-hourly")
scheduler.start()

while True:
    time.sleep(60)
