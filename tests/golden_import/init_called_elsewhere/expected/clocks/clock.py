"""The jobs of clock.py."""

from shop.tasks.booking import cancel_expired_bookings, count, remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="of_the_module", hour=12)
scheduler.add_job(
    cancel_expired_bookings,
    "cron",
    [app],
    id="cancel",
    hour=2,
    minute=30,
)
scheduler.add_job(remind, "cron", [app, "mail"], id="remind_by_mail", hour=8)
scheduler.add_job(remind, "cron", [app, "sms"], id="remind_by_sms", hour=8)
# Not imported, see the report: clock.py:14 clock/count
