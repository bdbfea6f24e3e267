"""Bookings: quick jobs on the project's own database, at night."""

from scheduled_tasks import Clock, app
from scheduled_tasks.domains.booking import cancel_expired_bookings, mark_past_bookings_used

scheduler = Clock(timeout="30min", memory_max="256M")

scheduler.add_job(mark_past_bookings_used, "cron", [app], id="mark_past_bookings_used", day="*", hour="0")

scheduler.add_job(cancel_expired_bookings, "cron", [app], id="cancel_expired_bookings", day="*", hour="2")
