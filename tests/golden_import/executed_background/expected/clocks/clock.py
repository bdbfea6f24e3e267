"""The jobs of clock.py."""

from shop.tasks.booking import cancel_expired_bookings, count, remind
from shop.tasks.clock import tick

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="count", hour=4)
scheduler.add_job(
    cancel_expired_bookings,
    "cron",
    [app],
    id="cancel",
    hour=2,
    minute=30,
)
scheduler.add_job(remind, "cron", [app, "mail"], id="remind", day="last sun", hour="9")
scheduler.add_job(tick, "interval", id="tick", seconds=180)
# Not imported, see the report: clock.py:24 clock/anonymous
