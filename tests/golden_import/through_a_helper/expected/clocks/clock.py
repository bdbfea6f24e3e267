"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
# Not imported, see the report: clock.py:19 clock/uses_it_indirectly
scheduler.add_job(count, "cron", id="fine", hour=4)
