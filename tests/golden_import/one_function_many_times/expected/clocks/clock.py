"""The jobs of clock.py."""

from shop.tasks.booking import remind
from shop.tasks.clock import export

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(remind, "cron", [app, "mail"], id="remind", hour=8, minute=0)
scheduler.add_job(remind, "cron", [app, "sms"], id="remind_2", hour=8, minute=20)
scheduler.add_job(remind, "cron", [app, "post"], id="remind_3", hour=8, minute=40)
scheduler.add_job(
    export,
    "cron",
    [app],
    kwargs={"target": "daily"},
    id="export",
    hour=4,
    day_of_week="*",
)
scheduler.add_job(
    export,
    "cron",
    [app],
    kwargs={"target": "weekly"},
    id="export_2",
    hour=4,
    day_of_week="mon",
)
scheduler.add_job(export, "cron", [app, "hourly"], id="hourly_08", hour=8, minute=5)
scheduler.add_job(export, "cron", [app, "hourly"], id="hourly_09", hour=9, minute=5)
scheduler.add_job(export, "cron", [app, "hourly"], id="hourly_10", hour=10, minute=5)
scheduler.add_job(export, "cron", [app, "hourly"], id="hourly_11", hour=11, minute=5)
scheduler.add_job(export, "cron", [app, "hourly"], id="hourly_14", hour=14, minute=5)
scheduler.add_job(export, "cron", [app, "hourly"], id="hourly_15", hour=15, minute=5)
scheduler.add_job(export, "cron", [app, "hourly"], id="hourly_16", hour=16, minute=5)
scheduler.add_job(export, "cron", [app, "hourly"], id="hourly_17", hour=17, minute=5)
scheduler.add_job(export, "cron", [app, "night"], id="night0", hour=0, minute=50)
scheduler.add_job(export, "cron", [app, "night"], id="night1", hour=1, minute=50)
