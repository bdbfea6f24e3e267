"""The jobs of executors/processpool.py."""

from shop.tasks.processpool import tick

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(tick, "interval", id="tick", seconds=3)
