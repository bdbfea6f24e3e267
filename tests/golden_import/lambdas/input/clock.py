"""Jobs that are wrapped in lambdas, to pass arguments along."""
import atexit

from apscheduler.schedulers.background import BackgroundScheduler

from shop import app
from shop.tasks import booking
from shop.tasks.booking import cancel_expired_bookings, count, remind

scheduler = BackgroundScheduler(daemon=True, timezone="Europe/Paris")
scheduler.add_job(lambda: count(), "cron", id="plain", hour=1)
scheduler.add_job(lambda: cancel_expired_bookings(app), "cron", id="with_app", hour=2, minute=30)
scheduler.add_job(lambda: booking.remind(app, "mail", days=3), trigger="cron", id="with_more", day_of_week="mon-fri", hour=7)
scheduler.add_job(lambda channel="sms": remind(app, channel), "cron", id="with_a_default", hour=8)
scheduler.add_job(lambda: [count(), cancel_expired_bookings(app)], "cron", id="two_at_once", hour=9)
for channel in ("mail", "sms"):
    # sees the last channel each time: a classic
    scheduler.add_job(lambda: remind(app, channel), "cron", id=f"late_{channel}", hour=10)
for channel in ("mail", "sms"):
    scheduler.add_job(lambda channel=channel: remind(app, channel), "cron", id=f"bound_{channel}", hour=11)
scheduler.start()
atexit.register(lambda: scheduler.shutdown())
