"""Faults of a trigger's fields and of a job's limits."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="plural", minutes=5, days="*")
scheduler.add_job(count, "cron", id="beyond", hour=24, minute=60)
scheduler.add_job(count, "cron", id="no_field")
scheduler.add_job(count, id="no_trigger", hour=1)
scheduler.add_job(count, "corn", id="misspelt", hour=1)
scheduler.add_job(count, "cron", id="limits", hour=1, memory_max="lots", timeout="soon", nice=20, cpu_weight=True)
