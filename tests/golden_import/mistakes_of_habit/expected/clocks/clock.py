"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="fine", minute=5, hour="*")
scheduler.add_job(count, "cron", id="sixty_times", hour=2, minute="*")
# Not imported, see the report: clock.py:11 clock/weekday_seven
# Not imported, see the report: clock.py:12 clock/never
# Not imported, see the report: clock.py:13 clock/long_name
# Not imported, see the report: clock.py:14 clock/time_of_day
# Not imported, see the report: clock.py:15 clock/no_such_trigger
# Not imported, see the report: clock.py:16 clock/text_for_a_number
scheduler.add_job(count, "interval", id="nothing_between", minutes=0)
# Not imported, see the report: clock.py:18 clock/args_is_no_list
# Not imported, see the report: clock.py:19 clock/no_such_argument
# Not imported, see the report: clock.py:20 clock/a_tuple_without_comma
# Not imported, see the report: clock.py:21 clock/dotted_text
scheduler.add_job(count, "cron", id="no_grace", hour=2)
# Not imported, see the report: clock.py:23 clock/hours_for_hour
# Not imported, see the report: clock.py:24 clock/hour_for_hours
scheduler.add_job(count, "cron", id="each_minute", second=0)
# Not imported, see the report: clock.py:26 clock/month_thirteen
# Not imported, see the report: clock.py:27 clock/a_builtin
# Not imported, see the report: clock.py:28 clock/a_coroutine_called
