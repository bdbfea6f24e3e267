"""A host from which somebody is told: it has the sender of notices, whose credentials no job gets."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris", notify="ops")
scheduler.add_job(count, "cron", id="hourly", minute=0)
