"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="America/New_York")
scheduler.add_job(count, "cron", id="in_the_clocks_zone", hour=2, minute=30)
scheduler.add_job(
    count,
    "cron",
    id="in_the_hosts_zone",
    hour=2,
    minute=30,
    timezone="Europe/Paris",
)
scheduler.add_job(count, "cron", id="last_day", day="last", hour=23, timezone="UTC")
scheduler.add_job(
    count,
    "cron",
    id="crontab_weekdays",
    day_of_week="tue-sat",
    hour="4",
    minute="30",
    timezone="Europe/Paris",
)
scheduler.add_job(
    count,
    "cron",
    id="crontab_office",
    hour="8-18",
    minute="*/10",
    timezone="Europe/London",
)
scheduler.add_job(
    count,
    "interval",
    id="fortnightly",
    weeks=2,
    start_date="2026-01-05 08:00:00",
)
scheduler.add_job(count, "date", id="once", run_date="2027-01-31 06:00:00")
scheduler.add_job(count, "cron", id="either", hour=3)
scheduler.add_job(count, "cron", id="either_2", day_of_week="sun", hour=15)
# Not imported, see the report: clock.py:24 clock/both
