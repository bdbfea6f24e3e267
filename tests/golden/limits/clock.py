"""Limits of a clock, and of a job that overrides them."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(
    timezone="UTC",
    timeout="30min",
    memory_max="512M",
    memory_high="400M",
    cpu_quota="50%",
    cpu_weight=50,
    io_weight=10,
    tasks_max=64,
    nice=10,
)
scheduler.add_job(count, "cron", id="inherits_all", hour=1)
scheduler.add_job(count, "cron", id="has_its_own", hour=1, timeout=90, memory_max="2G", nice=-5)
