"""A clock file that raises halfway: the faults before it are reported, and the application doesn't exist yet."""

from shop.tasks.booking import cancel_expired_bookings, count

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(cancel_expired_bookings, "cron", id="without_app", hour=1)
scheduler.add_job(count, "cron", id="of_the_app", hour=app.config["HOUR"])
