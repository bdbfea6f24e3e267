import asyncio

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from shop import app
from shop.jobs import clean_up, export, poll


async def ping():
    """Ping."""
    await asyncio.sleep(0)


scheduler = AsyncIOScheduler(timezone="Europe/Paris")
scheduler.add_job(clean_up, "cron", hour=2)
scheduler.add_job(export, "cron", [app], kwargs={"target": "weekly"}, day_of_week="sun", hour=3, id="Export Weekly")
scheduler.add_job("shop.jobs:clean_up", "cron", hour=14, id="by_name")
scheduler.add_job(poll, "cron", minute="*/20")
scheduler.add_job(ping, "interval", seconds=30)
scheduler.start()
asyncio.get_event_loop().run_forever()
