"""A host with `listen = true`: a listener starts its watch when somebody asks it for something."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="hourly", minute=0)
