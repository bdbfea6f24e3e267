"""The options for the ledger: on which hosts, overlapping runs, without a database, after a pause."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="UTC", overlap="skip")
scheduler.add_job(count, "cron", id="inherits_all", hour=1)
scheduler.add_job(
    count,
    "cron",
    id="has_its_own",
    hour=1,
    per_host=True,
    overlap="queue",
    on_database_error="run",
    catch_up_after_pause=True,
)
