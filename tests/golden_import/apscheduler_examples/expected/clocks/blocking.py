"""The jobs of schedulers/blocking.py."""

from shop.tasks.blocking import tick

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(tick, "interval", id="tick", seconds=3)
