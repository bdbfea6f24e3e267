"""The jobs of clock.py."""

from shop.tasks.clock import clean_up, export, ping, poll

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(clean_up, "cron", id="clean_up", hour=2)
scheduler.add_job(
    export,
    "cron",
    [app],
    kwargs={"target": "weekly"},
    id="export_weekly",
    day_of_week="sun",
    hour=3,
)
scheduler.add_job(clean_up, "cron", id="by_name", hour=14)
scheduler.add_job(poll, "cron", id="poll", minute="*/20")
scheduler.add_job(ping, "interval", id="ping", seconds=30)
