"""Everything about a job's time but the plain fields."""

from apscheduler.triggers.cron import CronTrigger
from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="in_another_zone", hour=2, minute=30, timezone="America/New_York")
scheduler.add_job(count, "cron", id="with_jitter", hour=6, jitter=300)
scheduler.add_job(count, "cron", id="with_grace", hour=6, misfire_grace_time=3600, jitter=60)
scheduler.add_job(count, "cron", id="without_catch_up", hour=6, misfire_grace_time=30)
scheduler.add_job(count, "cron", id="paused", hour=6, next_run_time=None)
scheduler.add_job(count, "cron", id="in_a_window", hour=6, start_date="2026-12-01", end_date="2026-12-24 12:00:00")
scheduler.add_job(count, "cron", id="last_friday", day="last fri", hour=18)
scheduler.add_job(count, CronTrigger(minute="*/10", timezone="UTC"), id="an_object")
scheduler.add_job(count, "interval", id="every_seven_minutes", minutes=7, start_date="2026-01-01 00:00:00")
scheduler.add_job(count, "interval", id="every_two_hours", hours=2, start_date="2026-01-01 00:30:00")
scheduler.add_job(count, "date", id="once", run_date="2027-03-28 02:30:00")
