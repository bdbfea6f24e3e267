from apscheduler.executors.pool import ProcessPoolExecutor, ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler
from zoneinfo import ZoneInfo

from shop.tasks.booking import count

executors = {"default": ThreadPoolExecutor(20), "processpool": ProcessPoolExecutor(5)}
fast = BackgroundScheduler(executors=executors, timezone=ZoneInfo("Europe/Paris"))
slow = BlockingScheduler(timezone=ZoneInfo("America/Sao_Paulo"))
unused = BackgroundScheduler(timezone="UTC")

fast.add_job(count, "cron", minute="*/5", id="count")
slow.add_job(count, "cron", day="1", hour=3, id="count", executor="processpool")
fast.add_listener(print)
fast.start()
slow.start()
