from functools import partial

import apscheduler.schedulers.blocking as blocking
from apscheduler.triggers import cron

from shop.tasks.booking import count

scheduler = blocking.BlockingScheduler(timezone="Europe/Paris")
add = scheduler.add_job
add(count, "cron", hour=1, id="by_alias")
daily = partial(scheduler.add_job, trigger="cron", minute=30)
daily(count, hour=2, id="by_partial")
daily(count, hour=3, minute=45, id="by_partial_with_a_minute")
every = getattr(scheduler, "add_job")
every(count, cron.CronTrigger(hour=4, timezone="Europe/Paris"), id="by_getattr")
at = [scheduler.add_job(count, "cron", hour=h, id=f"listed_{h}") for h in (5, 6, 7) if h != 6]
scheduler.start()
