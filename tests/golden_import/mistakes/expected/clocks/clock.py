"""The jobs of clock.py."""

from shop.tasks.booking import count
from shop.tasks.clock import decorated_above

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(decorated_above, "cron", id="decorated_above", hour=3)
# Not imported, see the report: clock.py:22 clock/uses_the_scheduler
# Not imported, see the report: clock.py:27 clock/called
# Not imported, see the report: clock.py:28 clock/called_with_app
# Not imported, see the report: clock.py:29 clock/minutes_for_minute
# Not imported, see the report: clock.py:30 clock/minute_for_minutes
# Not imported, see the report: clock.py:31 clock/without_app
# Not imported, see the report: clock.py:32 clock/without_channel
# Not imported, see the report: clock.py:33 clock/wrong_order
# Not imported, see the report: clock.py:34 clock/step_of_names
# Not imported, see the report: clock.py:35 clock/no_such_hour
scheduler.add_job(count, "cron", id="every_minute_of_two", hour=2)
scheduler.add_job(count, "cron", id="every_second")
# Not imported, see the report: clock.py:38 clock/at_once
scheduler.add_job(count, "cron", id="a_lambda", hour=2)
scheduler.add_job(count, "cron", id="grace_of_none", hour=2, misfire_grace_time=None)
scheduler.add_job(count, "cron", id="not_coalesced", hour=2)
scheduler.add_job(count, "cron", id="twice", hour=4)
scheduler.add_job(count, "cron", id="twice_2", hour=5)
