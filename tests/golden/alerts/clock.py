"""Who is told of a job, and when: of a clock, and of jobs that override it. No unit has any of it."""

from shop.tasks.booking import count, recount

from scheduled_tasks import Clock

scheduler = Clock(
    timezone="Europe/Paris",
    owner="data",
    notify="ops",
    alert_after=2,
    expected_duration="20min",
    quiet="22:00-07:00",
    runbook="https://wiki.example.org/stock",
    ping="https://hc-ping.com/0123456789abcdef/{clock}-{job}",
)
scheduler.add_job(count, "cron", id="inherits_all", hour=1)
scheduler.add_job(
    recount,
    "cron",
    id="has_its_own",
    hour=1,
    owner="L'équipe d'achat",
    notify=["ops", "pager"],
    alert_after=3,
    expected_duration=90,
    expected_at_least="1.5s",
    ping="stock_ping",
)
scheduler.add_job(recount, "cron", id="clears", hour=1, notify=None, quiet=None, ping=None, expected_duration=None)
scheduler.add_job(recount, "cron", id="tells_nobody", hour=1, notify=[])
scheduler.add_job(recount, "cron", id="has_retries", hour=1, retries=3, retry_delay="1min", retry_delay_max="1h")
