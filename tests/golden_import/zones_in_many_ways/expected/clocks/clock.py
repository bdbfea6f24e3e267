"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="of_the_host", hour=2, minute=30)
scheduler.add_job(
    count,
    "cron",
    id="an_old_name",
    hour=2,
    minute=30,
    timezone="US/Eastern",
)
scheduler.add_job(
    count,
    "cron",
    id="half_an_hour",
    hour=2,
    minute=30,
    timezone="Australia/Lord_Howe",
)
scheduler.add_job(count, "cron", id="utc", hour=2, timezone="UTC")
scheduler.add_job(count, "cron", id="utc_too", hour=2, timezone="UTC")
# Not imported, see the report: clock.py:18 clock/an_offset
scheduler.add_job(count, "cron", id="est", hour=2, timezone="EST")
scheduler.add_job(
    count,
    "cron",
    id="crontab_or",
    day="1,15",
    day_of_week="fri",
    hour="4",
    minute="0",
    timezone="Europe/Kyiv",
)
