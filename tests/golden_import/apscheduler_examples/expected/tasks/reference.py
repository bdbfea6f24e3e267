"""The tasks of the clock reference that were in reference.py, or not in shop.tasks."""

from scheduled_tasks import log_cron
from sys import stdout as _stdout
from typing import Any


@log_cron
def write(*args: Any, **kwargs: Any) -> Any:
    """Call sys.stdout.write."""
    return _stdout.write(*args, **kwargs)
