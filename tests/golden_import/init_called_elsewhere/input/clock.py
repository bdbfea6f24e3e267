"""The application's factory calls this: the file itself doesn't."""
from apscheduler.schedulers.background import BackgroundScheduler

from shop.tasks.booking import cancel_expired_bookings, count, remind

scheduler = BackgroundScheduler(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="of_the_module", hour=12)


def init_app(app):
    scheduler.add_job(cancel_expired_bookings, "cron", args=[app], id="cancel", hour=2, minute=30)
    add_reminders(app, hour=8)
    if app.config["COUNTING"]:
        scheduler.add_job(count, "cron", id="count", minute=0)
    scheduler.start()


def add_reminders(app, hour, channels=("mail", "sms")):
    for channel in channels:
        scheduler.add_job(remind, "cron", [app, channel], id=f"remind_by_{channel}", hour=hour)
