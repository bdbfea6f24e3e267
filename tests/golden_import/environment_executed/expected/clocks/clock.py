"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="at_hour", hour="2")
scheduler.add_job(count, "interval", id="every", minutes=5)
scheduler.add_job(count, "cron", id="extra", hour=7)
scheduler.add_job(count, "cron", id="plain", hour=6, minute=30)
