"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
# Not imported, see the report: clock.py:8 clock/at_hour
# Not imported, see the report: clock.py:9 clock/every
# Not imported, see the report: clock.py:11 clock/extra
scheduler.add_job(count, "cron", id="plain", hour=6, minute=30)
