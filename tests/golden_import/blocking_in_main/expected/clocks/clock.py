"""The jobs of clock.py."""

from shop.tasks.booking import cancel_expired_bookings, count

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(
    cancel_expired_bookings,
    "cron",
    [app],
    id="cancel_expired_bookings",
    day="*",
    hour="2",
)
scheduler.add_job(
    count,
    "cron",
    id="count",
    day_of_week="mon-fri",
    hour=6,
    minute="*/15",
)
