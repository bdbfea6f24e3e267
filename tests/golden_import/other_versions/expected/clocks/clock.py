"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="of_three", hour=1)
# Not imported, see the report: clock.py:11 clock/count
# Not imported, see the report: clock.py:12 clock/count
# Not imported, see the report: clock.py:16 clock/count
