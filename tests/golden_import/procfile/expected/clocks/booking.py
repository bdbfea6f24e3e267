"""The jobs of clocks/booking_clock.py."""

from shop.tasks.booking import cancel_expired_bookings

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(
    cancel_expired_bookings,
    "cron",
    [app],
    id="cancel_expired_bookings",
    hour=2,
)
