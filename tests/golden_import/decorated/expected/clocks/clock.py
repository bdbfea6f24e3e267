"""The jobs of clock.py."""

from shop.tasks.clock import nightly_report, open_hours, timed_job

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(nightly_report, "cron", id="nightly", hour=2, minute=30)
scheduler.add_job(timed_job, "interval", id="timed_job", minutes=10)
scheduler.add_job(
    open_hours,
    "cron",
    id="open_hours",
    day_of_week="mon-fri",
    hour="9-17",
)
scheduler.add_job(open_hours, "cron", id="open_hours_2", day_of_week="sat", hour=12)
