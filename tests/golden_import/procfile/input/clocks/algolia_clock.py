from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

scheduler = BlockingScheduler(timezone="Europe/Paris")
scheduler.add_job(count, "cron", minute="*/5", id="index")
scheduler.start()
