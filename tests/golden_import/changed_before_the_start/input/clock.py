"""Jobs that the file changes again before it starts the scheduler."""
import sys

from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

scheduler = BlockingScheduler(timezone="Europe/Paris")
job = scheduler.add_job(count, "cron", hour=1, id="rescheduled_by_its_handle")
job.reschedule("cron", hour=5, minute=10)
scheduler.add_job(count, "interval", minutes=5, id="rescheduled_by_its_id")
scheduler.reschedule_job("rescheduled_by_its_id", trigger="cron", minute="*/15")
nameless = scheduler.add_job(count, "cron", hour=2, minute=20)
scheduler.reschedule_job(nameless.id, trigger="cron", hour=3, minute=20)
scheduler.add_job(count, "cron", hour=6, id="modified").modify(misfire_grace_time=300, name="Counts")
scheduler.add_job(count, "cron", hour=7, id="paused")
scheduler.pause_job("paused")
scheduler.add_job(count, "cron", hour=8, id="removed")
scheduler.remove_job("removed")
scheduler.add_job(count, "cron", hour=9, id="perhaps")
if "--late" in sys.argv:
    scheduler.reschedule_job("perhaps", trigger="cron", hour=10)
scheduler.start()
