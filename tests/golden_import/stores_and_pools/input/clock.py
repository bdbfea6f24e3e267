from apscheduler.executors.pool import ProcessPoolExecutor, ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

scheduler = BlockingScheduler(
    jobstores={"default": MemoryJobStore(), "other": {"type": "memory"}},
    executors={"default": ThreadPoolExecutor(20), "processpool": ProcessPoolExecutor(5)},
    job_defaults={"coalesce": True, "max_instances": 3, "misfire_grace_time": 3600},
    timezone="Europe/Paris",
)
scheduler.add_job(count, "cron", hour=2, id="kept", replace_existing=True)
scheduler.add_job(count, "cron", hour=3, id="elsewhere", jobstore="other", executor="processpool", replace_existing=True)
scheduler.add_job(count, "cron", hour=4, id="short", misfire_grace_time=1, max_instances=1, coalesce=False)
scheduler.print_jobs()
scheduler.start()
