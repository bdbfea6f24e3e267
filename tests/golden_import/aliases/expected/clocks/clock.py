"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="by_alias", hour=1)
scheduler.add_job(count, "cron", id="by_partial", minute=30, hour=2)
scheduler.add_job(count, "cron", id="by_partial_with_a_minute", minute=45, hour=3)
scheduler.add_job(count, "cron", id="by_getattr", hour=4)
scheduler.add_job(count, "cron", id="listed_5", hour=5)
scheduler.add_job(count, "cron", id="listed_7", hour=7)
