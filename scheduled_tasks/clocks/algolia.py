"""The search index: small batches often, and the expired offers at night."""

from scheduled_tasks import Clock, app
from scheduled_tasks.domains.algolia import delete_expired_offers, index_offers

# The search service is known by its name only, so that no address can be allowed in advance.
# A run that hangs must not hold up the next ones for long: the index would fall behind.
scheduler = Clock(timeout="15min", memory_max="256M", cpu_weight=50, allow_network="any")

scheduler.add_job(index_offers, "cron", [app], id="index_offers", minute="*/5", timeout="4min")

scheduler.add_job(delete_expired_offers, "cron", [app], id="delete_expired_offers", day="*", hour="1")
