"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
# Not imported, see the report: clock.py:15 clock/on_the_primary
# Not imported, see the report: clock.py:17 clock/on_one_host
# Not imported, see the report: clock.py:18 clock/at_any_minute
scheduler.add_job(count, "interval", id="and_at_once", minutes=10)
# Not imported, see the report: clock.py:20 clock/soon
# Not imported, see the report: clock.py:22 clock/count
# Not imported, see the report: clock.py:26 clock/in_a_while
scheduler.add_job(count, "cron", id="always", hour=5)
