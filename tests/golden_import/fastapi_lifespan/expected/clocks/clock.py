"""The jobs of clock.py."""

from shop.tasks.booking import count
from shop.tasks.clock import poll, refresh_cache

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(refresh_cache, "cron", id="refresh_cache", minute="*/20")
scheduler.add_job(poll, "interval", id="poll", seconds=30)
scheduler.add_job(count, "cron", id="count", hour=6)
