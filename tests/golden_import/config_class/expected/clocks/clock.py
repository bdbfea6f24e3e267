"""The jobs of clock.py."""

from shop.tasks.booking import count, remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="night", hour=2, minute=30)
scheduler.add_job(count, "cron", id="office", hour="9-17", minute=0)
scheduler.add_job(remind, "cron", [app, "mail"], id="mail", hour=7, day_of_week="mon")
# Not imported, see the report: clock.py:30 clock/count
