"""A host whose watch writes metrics for node_exporter."""

from shop.tasks.booking import count, restock

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="hourly", minute=0)
scheduler.add_job(restock, "cron", id="daily", hour=4)
