"""The jobs of clock.py."""

from shop.tasks.clock import expire, warm

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(expire, "cron", id="expire", hour="*", minute=5)
scheduler.add_job(warm, "cron", [app, "front"], id="warm", hour=7)
