"""The jobs of clock.py."""

from shop.tasks.booking import cancel_expired_bookings, count, remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="row_one", hour=1)
scheduler.add_job(count, "cron", id="row_two", hour=13)
scheduler.add_job(count, "cron", id="typed_one", hour=2, minute=30)
scheduler.add_job(count, "cron", id="typed_two", hour=14, minute=45)
scheduler.add_job(remind, "cron", [app, "mail"], id="spec_mail", hour=7)
scheduler.add_job(count, "interval", id="spec_count", hours=6)
scheduler.add_job(count, "cron", id="dict_count", hour="*/3", minute=10)
scheduler.add_job(cancel_expired_bookings, "cron", [app], id="dict_cancel", hour=4)
scheduler.add_job(count, "cron", id="by_name_count", hour=5)
scheduler.add_job(
    cancel_expired_bookings,
    "cron",
    [app],
    id="by_name_cancel_expired_bookings",
    hour=6,
)
scheduler.add_job(count, "cron", id="other_first", hour=1, minute=5)
scheduler.add_job(count, "cron", id="other_second", hour=2, minute=7)
scheduler.add_job(count, "cron", id="star_cron", day=1)
scheduler.add_job(count, "interval", id="star_interval", days=1)
