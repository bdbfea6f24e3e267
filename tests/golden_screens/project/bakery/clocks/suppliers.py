from bakery.tasks.suppliers import ping, synchronize_prices_and_stocks_of_every_supplier
from scheduled_tasks import Clock

scheduler = Clock(timeout="30min")
scheduler.add_job(
    synchronize_prices_and_stocks_of_every_supplier, "cron", id="synchronize_prices_and_stocks_of_every_supplier",
    hour="*/2", minute=30,
)  # fmt: skip
scheduler.add_job(ping, "cron", id="ping", minute="*/5")
