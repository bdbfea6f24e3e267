import asyncio
import os

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from shop.tasks.booking import count


async def sweep():
    """Sweep."""
    await asyncio.sleep(0)


async def main():
    scheduler = AsyncIOScheduler(timezone="Europe/Paris")
    scheduler.add_job(count, CronTrigger.from_crontab(os.environ["COUNT_AT"].replace("_", " "), timezone="Europe/Paris"), id="count")
    scheduler.add_job(sweep, "cron", day_of_week="sun", hour=5, id="sweep")
    scheduler.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
