"""What returns, exits, breaks and goes on before its last line."""
import os
import sys

from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

scheduler = BlockingScheduler(timezone="Europe/Paris")
HOURS = {"night": 2, "noon": 12, "never": None}


def hours():
    return [hour for hour in HOURS.values() if hour is not None]


def add_all(names):
    if not names:
        return
        scheduler.add_job(count, "cron", hour=0, id="after_a_return")
    for name in names:
        if HOURS[name] is None:
            continue
        scheduler.add_job(count, "cron", hour=HOURS[name], minute=30, id=name)
    else:
        scheduler.add_job(count, "cron", hour=20, id="after_the_loop")


def add_on_the_primary():
    if os.environ.get("ROLE") != "primary":
        return
    scheduler.add_job(count, "cron", hour=5, id="on_the_primary")


add_all([])
add_all(list(HOURS))
add_on_the_primary()
for hour in hours():
    scheduler.add_job(count, "cron", hour=hour, minute=5, id=f"of_a_function_{hour}")
for hour in range(24):
    if hour == 2:
        break
    scheduler.add_job(count, "cron", hour=hour, minute=50, id=f"broken_{hour}")
if os.environ.get("NO_CLOCK"):
    sys.exit("no clock here")
scheduler.add_job(count, "cron", hour=21, id="after_a_guard")
scheduler.start()
sys.exit(0)
scheduler.add_job(count, "cron", hour=22, id="after_the_end")
