"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from scheduled_tasks import log_cron
from shop.jobs import export as _export
from typing import Any


@log_cron
def export(*args: Any, **kwargs: Any) -> Any:
    """Export what was sold."""
    return _export(*args, **kwargs)
