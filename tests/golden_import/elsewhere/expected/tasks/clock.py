"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

import asyncio
from scheduled_tasks import log_cron
from shop.jobs import clean_up as _clean_up, export as _export, poll as _poll
from typing import Any


async def _ping():
    """Ping."""
    await asyncio.sleep(0)


@log_cron
def clean_up(*args: Any, **kwargs: Any) -> Any:
    """Clean up."""
    return _clean_up(*args, **kwargs)


@log_cron
def export(*args: Any, **kwargs: Any) -> Any:
    """Export what was sold."""
    return _export(*args, **kwargs)


@log_cron
def poll(*args: Any, **kwargs: Any) -> Any:
    """Ask the supplier."""
    return asyncio.run(_poll(*args, **kwargs))


@log_cron
def ping(*args: Any, **kwargs: Any) -> Any:
    """Ping."""
    return asyncio.run(_ping(*args, **kwargs))
