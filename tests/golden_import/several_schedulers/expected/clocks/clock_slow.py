"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="America/Sao_Paulo")
scheduler.add_job(count, "cron", id="count", day="1", hour=3)
