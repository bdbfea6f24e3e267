"""Faults of options: of the clock, of a job, and of both together."""

from shop.tasks.booking import count, recount

from scheduled_tasks import Clock

scheduler = Clock(
    timezone="UTC", retries=2, user="root", environment={"SHOP_TOKEN": "1234"}, allow_network=["db.example"]
)
scheduler.add_job(count, "cron", id="not_idempotent", hour=1)
scheduler.add_job(count, "cron", id="not_retried", hour=1, retries=0)
scheduler.add_job(recount, "cron", id="backwards", hour=1, retry_delay="1h", retry_delay_max="1min")
scheduler.add_job(recount, "cron", id="not_a_clock", hour=1, concurrency=1, working_directory="here")
scheduler.add_job(recount, "cron", id="lists", hour=1, after="postgresql", read_write_paths="/srv", relax=["all"])
