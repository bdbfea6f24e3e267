"""Faults of the clock itself; those of its jobs are reported too."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Pari", timeot="5min", memory_max="512 monkeys")
scheduler.add_job(count, "cron", id="plural", hours=5)
