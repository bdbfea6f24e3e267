"""A clock file that raises half-way: what came before is judged, and the application isn't there yet."""

from shop.tasks.booking import cancel_expired_bookings, count

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(cancel_expired_bookings, "cron", id="without_app", hour=1)
scheduler.add_job(count, "cron", id="of_the_app", hour=app.config["HOUR"])
