"""The shop's clock."""

from apscheduler.schedulers.blocking import BlockingScheduler

from shop import create_app
from shop.tasks.booking import cancel_expired_bookings, count

app = create_app()

if __name__ == "__main__":
    scheduler = BlockingScheduler(timezone="Europe/Paris")
    scheduler.add_job(cancel_expired_bookings, "cron", [app], id="cancel_expired_bookings", day="*", hour="2")
    scheduler.add_job(count, "cron", id="count", day_of_week="mon-fri", hour=6, minute="*/15")
    scheduler.start()
