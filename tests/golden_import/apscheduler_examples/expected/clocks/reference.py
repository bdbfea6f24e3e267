"""The jobs of misc/reference.py."""

from shop.tasks.reference import write

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(write, "interval", ["tick\n"], id="write", seconds=3)
