"""The jobs of schedulers/background.py."""

from shop.tasks.background import tick

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(tick, "interval", id="tick", seconds=3)
