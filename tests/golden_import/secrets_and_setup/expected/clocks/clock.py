"""The jobs of clock.py."""

from shop.tasks.clock import synchronise

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(synchronise, "cron", id="synchronise", hour=5)
# Not imported, see the report: clock.py:18 clock/other
scheduler.add_job(synchronise, "cron", ["sk_live_1234567890"], id="in_the_file", hour=7)
