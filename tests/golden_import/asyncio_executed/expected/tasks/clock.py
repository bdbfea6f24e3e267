"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

import asyncio
from scheduled_tasks import log_cron
from typing import Any


async def _sweep():
    """Sweep."""
    await asyncio.sleep(0)


@log_cron
def sweep(*args: Any, **kwargs: Any) -> Any:
    """Sweep."""
    return asyncio.run(_sweep(*args, **kwargs))
