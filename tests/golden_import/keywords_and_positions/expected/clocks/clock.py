"""The jobs of clock.py."""

from shop.tasks.booking import cancel_expired_bookings, count, remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(
    cancel_expired_bookings,
    "cron",
    [app],
    id="positions",
    name="By positions",
    hour="1",
    minute="05",
)
scheduler.add_job(count, "cron", id="keywords_only", hour="*/4", minute="0,30")
scheduler.add_job(count, "cron", id="spread", hour=2, minute=15)
scheduler.add_job(count, "cron", id="spread_over", hour=3)
scheduler.add_job(
    remind,
    "cron",
    [app],
    kwargs={"channel": "mail"},
    id="args_and_kwargs",
    hour=7,
)
scheduler.add_job(
    remind,
    "cron",
    kwargs={"app": app, "channel": "sms", "days": 2},
    id="kwargs_only",
    hour=8,
)
scheduler.add_job(
    count,
    "cron",
    id="many_fields",
    year="2026-2030",
    month="jan-mar,12",
    week="*",
    day="1st mon,last",
    hour=6,
)
scheduler.add_job(
    count,
    "cron",
    id="weekday_numbers",
    day_of_week="0,2,4",
    hour=22,
    minute=59,
    second=30,
)
scheduler.add_job(
    count,
    "interval",
    id="mixed_interval",
    weeks=1,
    days=2,
    hours=3,
    start_date="2026-01-01 03:00:00",
)
scheduler.add_job(
    count,
    "interval",
    id="bounded",
    minutes=90,
    start_date="2026-01-01 00:00:00",
    end_date="2030-01-01",
)
scheduler.add_job(count, "date", id="a_date", run_date="2027-05-01")
scheduler.add_job(
    count,
    "date",
    id="a_date_in_utc",
    run_date="2027-05-01 12:00:00",
    timezone="UTC",
)
scheduler.add_job(
    count,
    "cron",
    id="a_zone_of_its_own",
    hour=2,
    timezone="America/New_York",
)
scheduler.add_job(count, "cron", id="with_jitter", minute="*/5", jitter=30)
