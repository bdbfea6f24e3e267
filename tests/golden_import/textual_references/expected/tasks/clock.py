"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from scheduled_tasks import log_cron
from shop.jobs import clean_up as _clean_up
from sys import stdout as _stdout
from typing import Any


@log_cron
def here():
    """Stands here."""


@log_cron
def clean_up(*args: Any, **kwargs: Any) -> Any:
    """Clean up."""
    return _clean_up(*args, **kwargs)


@log_cron
def write(*args: Any, **kwargs: Any) -> Any:
    """Call sys.stdout.write."""
    return _stdout.write(*args, **kwargs)
