"""The jobs of clock.py."""

from shop.tasks.booking import cancel_expired_bookings, count, remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(
    cancel_expired_bookings,
    "cron",
    [app],
    id="cancel_expired_bookings",
    hour=1,
)
scheduler.add_job(count, "cron", id="count", hour="2,3", minute=30)
scheduler.add_job(
    remind,
    "cron",
    [app, "mail"],
    kwargs={"days": 2},
    id="remind_mail",
    hour=8,
)
scheduler.add_job(
    remind,
    "cron",
    [app, "text"],
    kwargs={"days": 2},
    id="remind_text",
    hour=20,
)
scheduler.add_job(count, "cron", id="count_0", day_of_week="mon", hour=5)
scheduler.add_job(count, "cron", id="count_1", day_of_week="thu", hour=6)
scheduler.add_job(count, "cron", id="count_2", hour=10, minute=15)
scheduler.add_job(count, "cron", id="count_3", hour=11, minute=15)
scheduler.add_job(count, "cron", id="count_4", hour=12, minute=15)
