"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
# Not imported, see the report: clock.py:9
scheduler.add_job(count, "cron", id="plain", hour=6)
# Not imported, see the report: clock.py:14 clock/in_a_class
