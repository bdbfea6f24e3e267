"""What is done at night."""

from scheduled_tasks import Clock
from shop.tasks.mail import remind
from shop.tasks.stock import recount

scheduler = Clock(timeout="10min")
scheduler.add_job(recount, "cron", id="recount", hour=3)
scheduler.add_job(remind, "cron", id="remind", hour=4, minute=30)
