"""The jobs of schedulers/twisted_.py."""

from shop.tasks.twisted import tick

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(tick, "interval", id="tick", seconds=3)
