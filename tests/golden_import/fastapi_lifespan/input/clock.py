from contextlib import asynccontextmanager

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from fastapi import FastAPI

from shop.jobs import poll
from shop.tasks.booking import count

scheduler = AsyncIOScheduler()


@scheduler.scheduled_job(CronTrigger(minute="*/20", timezone="Europe/Paris"))
async def refresh_cache():
    """Refresh the cache."""


@asynccontextmanager
async def lifespan(app: FastAPI):
    scheduler.add_job(poll, "interval", seconds=30, id="poll")
    scheduler.add_job(count, CronTrigger(hour=6), id="count")
    scheduler.start()
    yield
    scheduler.shutdown()


app = FastAPI(lifespan=lifespan)
