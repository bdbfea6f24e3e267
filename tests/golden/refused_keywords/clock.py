"""Misspelt keywords of a job: what is meant can be a field, an option, or an argument of APScheduler."""

from apscheduler.triggers.cron import CronTrigger
from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="UTC")
scheduler.add_job(count, "cron", id="options", hour=1, retry=3, timeuot="1h", memory="1G")
scheduler.add_job(count, "interval", id="fields", minuets=5)
scheduler.add_job(count, "cron", id="arguments", hour=1, misfire_grace=60, kwarg={})
scheduler.add_job(count, "cron", id="neither", hour=1, xyz="red")
scheduler.add_job(count, CronTrigger(hour=1, timezone="UTC"), id="object", retry=3, hour=2)
