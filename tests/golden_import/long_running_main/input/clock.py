"""The clock's own loop, signals, logging: what stands around the jobs."""
import logging
import signal
import threading
import time

from apscheduler.schedulers.background import BackgroundScheduler

from shop.tasks.booking import count

logging.basicConfig(level=logging.INFO)
logging.getLogger("apscheduler").setLevel(logging.DEBUG)
stopped = threading.Event()
scheduler = BackgroundScheduler({"apscheduler.timezone": "Europe/Paris", "apscheduler.job_defaults.max_instances": "1"})


def stop(signum, frame):
    scheduler.shutdown(wait=False)
    stopped.set()


def heartbeat(state={"beats": 0}):
    """Count how often it ran."""
    state["beats"] += 1


signal.signal(signal.SIGTERM, stop)
scheduler.add_job(heartbeat, "interval", minutes=1)
job = scheduler.add_job(count, "cron", hour=2)
job.modify(max_instances=2)
scheduler.reschedule_job(job.id, trigger="cron", hour=3)
scheduler.start()
while not stopped.is_set():
    time.sleep(1)
