"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="first", hour=2)
scheduler.add_job(count, "cron", id="second", hour=3)
# Not imported, see the report: clock.py:29 clock/by_argument
# Not imported, see the report: clock.py:31 clock/otherwise
# Not imported, see the report: clock.py:27 clock/verbose
