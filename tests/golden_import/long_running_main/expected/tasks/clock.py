"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from scheduled_tasks import log_cron


@log_cron
def heartbeat(state={"beats": 0}):
    """Count how often it ran."""
    state["beats"] += 1
