"""The jobs of clock.py."""

from shop.tasks.clock import write_rows

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(write_rows, "cron", id="write_rows", minute=10)
scheduler.add_job(write_rows, "cron", ["/srv/rows"], id="at_night", hour=4)
