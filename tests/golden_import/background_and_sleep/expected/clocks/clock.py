"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(
    count,
    "cron",
    id="count",
    name="Count it all",
    hour="3",
    misfire_grace_time=300,
)
scheduler.add_job(
    count,
    "interval",
    id="four_hourly",
    hours=4,
    start_date="2026-01-01 01:00:00",
    misfire_grace_time=300,
)
