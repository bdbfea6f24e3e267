"""The jobs of flask_clock.py."""

from shop.tasks.booking import count
from shop.tasks.flask_clock import job1

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(job1, "interval", id="do_job_1", seconds=30, misfire_grace_time=900)
# Not imported, see the report: flask_clock.py:15 flask_clock/do_job_2
scheduler.add_job(count, "cron", id="count", hour=4)
