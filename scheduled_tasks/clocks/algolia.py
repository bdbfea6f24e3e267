"""The search index: small batches often, expired offers at night."""

from scheduled_tasks import Clock, app
from scheduled_tasks.domains.algolia import delete_expired_offers, index_offers

# The addresses of the search service are not known in advance, so all are allowed.
# A hung run must not delay the next ones for long, or the index would fall behind.
scheduler = Clock(timeout="15min", memory_max="256M", cpu_weight=50, allow_network="any")

scheduler.add_job(index_offers, "cron", [app], id="index_offers", minute="*/5", timeout="4min")

scheduler.add_job(delete_expired_offers, "cron", [app], id="delete_expired_offers", day="*", hour="1")
