"""What is done on Mondays."""

from scheduled_tasks import Clock
from shop.tasks.mail import remind

scheduler = Clock()
scheduler.add_job(remind, "cron", id="remind", day_of_week="mon", hour=8)
