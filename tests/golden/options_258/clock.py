"""Every option but the limits, of a clock and of a job that overrides it, for a systemd that supports them all."""

from shop.tasks.booking import count, recount

from scheduled_tasks import Clock

scheduler = Clock(
    timezone="UTC",
    environment={"GREETING": '100% "quoted" $HOME \\ back', "LINES": "one\ntwo"},
    user="shop",
    working_directory="/srv/shop files",
    read_write_paths=["/srv/shop files/exports"],
    allow_network=["192.0.2.7", "2001:db8::/32"],
    after=["postgresql.service"],
    log_namespace="shop",
    concurrency=2,
    retry_delay="1min",
    retry_delay_max="1h",
)
scheduler.add_job(count, "cron", id="inherits_all", hour=1)
scheduler.add_job(recount, "cron", id="tries_again", hour=1, retries=3)
scheduler.add_job(
    count,
    "cron",
    id="has_its_own",
    hour=1,
    environment={"GREETING": ""},
    user="other",
    read_write_paths=['/srv/other\'s "place"'],
    allow_network="any",
    requires=["local-fs.target"],
    relax=["jit", "processes"],
)
