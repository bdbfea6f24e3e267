"""The jobs of clock.py."""

from shop.tasks.booking import count
from shop.tasks.clock import nightly

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(nightly, "cron", id="nightly", hour=1)
scheduler.add_job(count, "cron", id="count", hour=2)
