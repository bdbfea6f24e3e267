"""Jobs that only some hosts have, and values that only a run knows."""
import json
import os
import platform
import random
from datetime import datetime, timedelta
from pathlib import Path

from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

scheduler = BlockingScheduler(timezone=os.environ.get("TZ", "Europe/Paris"))
if os.getenv("ROLE") == "primary":
    scheduler.add_job(count, "cron", hour=1, id="on_the_primary")
if platform.node().endswith("1"):
    scheduler.add_job(count, "cron", hour=2, id="on_one_host")
scheduler.add_job(count, "cron", hour=3, minute=random.randint(0, 59), id="at_any_minute")
scheduler.add_job(count, "interval", minutes=10, next_run_time=datetime.now(), id="and_at_once")
scheduler.add_job(count, "date", run_date=datetime.now() + timedelta(minutes=1), id="soon")
for job in json.loads(Path("jobs.json").read_text()):
    scheduler.add_job(count, "cron", id=job["id"], hour=job["hour"])
attempts = 0
while attempts < 1:
    attempts += 1
    scheduler.add_job(count, "cron", id="in_a_while", hour=4)
scheduler.add_job(count, "cron", hour=5, id="always")
scheduler.start()
