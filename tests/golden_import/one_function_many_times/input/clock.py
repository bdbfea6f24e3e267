"""The same function again and again, without ids."""
from apscheduler.schedulers.blocking import BlockingScheduler

from shop import app
from shop.jobs import export
from shop.tasks.booking import remind

scheduler = BlockingScheduler(timezone="Europe/Paris")
for minute, channel in zip(range(0, 60, 20), ["mail", "sms", "post"]):
    scheduler.add_job(remind, "cron", [app, channel], hour=8, minute=minute)
for target in sorted({"weekly", "daily"}):
    scheduler.add_job(export, "cron", [app], {"target": target}, hour=4, day_of_week="mon" if target == "weekly" else "*")
for hour in range(8, 18):
    if hour in (12, 13):
        continue
    scheduler.add_job(export, "cron", [app, "hourly"], hour=hour, minute=5, id=f"hourly-{hour:02d}")
for hour in range(24):
    if hour > 1:
        break
    scheduler.add_job(export, "cron", [app, "night"], hour=hour, minute=50, id=f"night{hour}")
scheduler.start()
