"""Units for a user's own systemd, which has fewer rights."""

from shop.tasks.booking import count, recount

from scheduled_tasks import Clock

scheduler = Clock(
    timezone="UTC",
    user="shop",
    nice=5,
    read_write_paths=["/srv/shop"],
    allow_network=["192.0.2.7"],
    requires=["local-fs.target"],
    concurrency=2,
)
scheduler.add_job(count, "cron", id="inherits_all", hour=1)
scheduler.add_job(recount, "cron", id="tries_again", hour=1, retries=3, log_namespace="shop", relax=["jit"])
