"""Titelive: long synchronizations with another company's service, products before their stocks."""

from scheduled_tasks import Clock, app
from scheduled_tasks.domains.titelive import synchronize_titelive_products, synchronize_titelive_stocks

# The addresses of the service are not known in advance, so all are allowed.
scheduler = Clock(timeout="2h", memory_max="512M", cpu_weight=50, allow_network="any")

scheduler.add_job(
    synchronize_titelive_products, "cron", [app], id="synchronize_titelive_products", day="*", hour="1", timeout="3h"
)

scheduler.add_job(synchronize_titelive_stocks, "cron", [app], id="synchronize_titelive_stocks", day="*", hour="6")
