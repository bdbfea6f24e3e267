"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="UTC")
scheduler.add_job(count, "cron", id="nightly_1", hour=1, minute=0)
scheduler.add_job(count, "cron", id="nightly_2", hour=2, minute=20)
scheduler.add_job(count, "cron", id="count", hour=12)
