"""The jobs of clock.py."""

from shop.tasks.booking import count
from shop.tasks.clock import heartbeat

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(heartbeat, "interval", id="heartbeat", minutes=1)
scheduler.add_job(count, "cron", id="count", hour=3)
