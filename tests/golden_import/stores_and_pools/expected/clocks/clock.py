"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="kept", hour=2, misfire_grace_time=3600)
scheduler.add_job(count, "cron", id="elsewhere", hour=3, misfire_grace_time=3600)
scheduler.add_job(count, "cron", id="short", hour=4, misfire_grace_time=1)
