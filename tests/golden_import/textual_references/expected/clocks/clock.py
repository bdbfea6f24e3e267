"""The jobs of clock.py."""

from shop.tasks.booking import count
from shop.tasks.clock import clean_up, here, write

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="of_a_domain", hour=1)
scheduler.add_job(clean_up, "cron", id="of_a_module", hour=2)
scheduler.add_job(here, "cron", id="of_this_file", hour=3)
scheduler.add_job(write, "cron", ["night\n"], id="of_an_object", hour=4)
