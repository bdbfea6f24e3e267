"""The jobs of clock.py."""

from shop.tasks.booking import cancel_expired_bookings, count, remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="plain", hour=1)
scheduler.add_job(
    cancel_expired_bookings,
    "cron",
    [app],
    id="with_app",
    hour=2,
    minute=30,
)
scheduler.add_job(
    remind,
    "cron",
    [app, "mail"],
    kwargs={"days": 3},
    id="with_more",
    day_of_week="mon-fri",
    hour=7,
)
scheduler.add_job(remind, "cron", [app, "sms"], id="with_a_default", hour=8)
# Not imported, see the report: clock.py:15 clock/two_at_once
# Not imported, see the report: clock.py:18 clock/late_mail
# Not imported, see the report: clock.py:18 clock/late_sms
scheduler.add_job(remind, "cron", [app, "mail"], id="bound_mail", hour=11)
scheduler.add_job(remind, "cron", [app, "sms"], id="bound_sms", hour=11)
