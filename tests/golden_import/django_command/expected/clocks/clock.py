"""The jobs of clock.py."""

from shop.tasks.booking import count
from shop.tasks.clock import my_job

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(my_job, "cron", id="my_job", second="*/10")
scheduler.add_job(count, "cron", id="count", day_of_week="mon", hour="00", minute="00")
