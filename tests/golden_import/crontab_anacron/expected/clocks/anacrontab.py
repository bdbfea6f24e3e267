"""The jobs of etc/anacrontab."""

from scheduled_tasks import Clock
from scheduled_tasks.bundled import command

scheduler = Clock(timezone="Europe/Paris")
ENVIRONMENT = {"HOME": "/root"}
# These replace cron's entries
scheduler.add_job(
    command.run,
    "cron",
    [["run-parts", "--report", "/etc/cron.daily"]],
    kwargs={"environment": ENVIRONMENT, "directory": "/root"},
    id="cron_daily",
    name="run-parts --report /etc/cron.daily",
    hour=3,
    minute=5,
)
scheduler.add_job(
    command.run,
    "cron",
    [["run-parts", "--report", "/etc/cron.weekly"]],
    kwargs={"environment": ENVIRONMENT, "directory": "/root"},
    id="cron_weekly",
    name="run-parts --report /etc/cron.weekly",
    day_of_week="mon",
    hour=3,
    minute=10,
)
scheduler.add_job(
    command.run,
    "cron",
    [["run-parts", "--report", "/etc/cron.monthly"]],
    kwargs={"environment": ENVIRONMENT, "directory": "/root"},
    id="cron_monthly",
    name="run-parts --report /etc/cron.monthly",
    day=1,
    hour=4,
    minute=15,
)
scheduler.add_job(
    command.run,
    "interval",
    [["/usr/local/bin/three", "%", "not", "stdin"]],
    kwargs={"environment": ENVIRONMENT, "directory": "/root"},
    id="every_three",
    name="/usr/local/bin/three % not stdin",
    days=3,
    start_date="2026-11-24 03:00:00",
)
