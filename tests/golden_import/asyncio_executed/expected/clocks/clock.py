"""The jobs of clock.py."""

from shop.tasks.booking import count
from shop.tasks.clock import sweep

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(
    count,
    "cron",
    id="count",
    day_of_week="1-5",
    hour="8-18",
    minute="*/15",
)
scheduler.add_job(sweep, "cron", id="sweep", day_of_week="sun", hour=5)
