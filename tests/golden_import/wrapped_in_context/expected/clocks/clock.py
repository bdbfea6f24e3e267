"""The jobs of clock.py."""

from shop.tasks.clock import expire_carts

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(expire_carts, "cron", id="expire_carts", hour=3)
# Not imported, see the report: clock.py:30 clock/clean_up
