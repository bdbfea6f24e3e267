"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
# Not imported, see the report: clock.py:24 clock/bound
# Not imported, see the report: clock.py:25 clock/bound_at_once
# Not imported, see the report: clock.py:26 clock/static
# Not imported, see the report: clock.py:27 clock/of_the_class
scheduler.add_job(count, "cron", id="of_a_module", hour=5)
