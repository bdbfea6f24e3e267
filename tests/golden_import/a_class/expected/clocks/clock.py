"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="count", hour=1, minute=45)
scheduler.add_job(count, "cron", id="count_2", hour=13, minute=45)
# Not imported, see the report: clock.py:17 clock/bound
