"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="America/Santiago")
scheduler.add_job(
    count,
    "cron",
    id="count",
    hour=2,
    minute=15,
    timezone="Australia/Lord_Howe",
)
scheduler.add_job(count, "cron", id="count_2", hour=0, timezone="Australia/Lord_Howe")
scheduler.add_job(
    count,
    "cron",
    id="count_3",
    minute="*/15",
    timezone="Australia/Lord_Howe",
)
scheduler.add_job(
    count,
    "cron",
    id="count_4",
    hour=2,
    minute=15,
    timezone="Africa/Casablanca",
)
scheduler.add_job(count, "cron", id="count_5", hour=0, timezone="Africa/Casablanca")
scheduler.add_job(
    count,
    "cron",
    id="count_6",
    minute="*/15",
    timezone="Africa/Casablanca",
)
scheduler.add_job(
    count,
    "cron",
    id="count_7",
    hour=2,
    minute=15,
    timezone="Asia/Kolkata",
)
scheduler.add_job(count, "cron", id="count_8", hour=0, timezone="Asia/Kolkata")
scheduler.add_job(count, "cron", id="count_9", minute="*/15", timezone="Asia/Kolkata")
scheduler.add_job(count, "cron", id="count_10", hour=2, minute=15)
scheduler.add_job(count, "cron", id="count_11", hour=0)
scheduler.add_job(count, "cron", id="count_12", minute="*/15")
