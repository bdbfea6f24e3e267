"""The jobs of clock.py."""

from shop.tasks.clock import résumé

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(résumé, "cron", id="r_sum", hour=4, minute=20)
