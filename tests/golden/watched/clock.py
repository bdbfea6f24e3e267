"""A host with a database: it has a watch, and failed runs are recorded."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="hourly", minute=0, catch_up_after_pause=True)
scheduler.add_job(count, "cron", id="each", hour=3, per_host=True)
