"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

import asyncio
from scheduled_tasks import log_cron
from shop.jobs import poll as _poll
from typing import Any


async def _refresh_cache():
    """Refresh the cache."""


@log_cron
def poll(*args: Any, **kwargs: Any) -> Any:
    """Ask the supplier."""
    return asyncio.run(_poll(*args, **kwargs))


@log_cron
def refresh_cache(*args: Any, **kwargs: Any) -> Any:
    """Refresh the cache."""
    return asyncio.run(_refresh_cache(*args, **kwargs))
