from apscheduler.schedulers.blocking import BlockingScheduler

from shop import app
from shop.decorators import cron_require_feature, log_cron
from shop.tasks.booking import cancel_expired_bookings, count, remind

scheduler = BlockingScheduler(timezone="Europe/Paris")


@cron_require_feature("INDEX_OFFERS")
@log_cron
def wrong_order():
    """Index."""


@log_cron
@scheduler.scheduled_job("cron", hour=3)
def decorated_above():
    """Be logged, or not."""


@scheduler.scheduled_job("cron", hour=3)
def uses_the_scheduler():
    scheduler.remove_job("count")


scheduler.add_job(count(), "cron", id="called", hour=1)
scheduler.add_job(cancel_expired_bookings(app), "cron", id="called_with_app", hour=1)
scheduler.add_job(count, "cron", id="minutes_for_minute", minutes="*/5")
scheduler.add_job(count, "interval", id="minute_for_minutes", minute=5)
scheduler.add_job(cancel_expired_bookings, "cron", id="without_app", hour=2)
scheduler.add_job(remind, "cron", [app], id="without_channel", hour=2)
scheduler.add_job(wrong_order, "cron", id="wrong_order", hour=2)
scheduler.add_job(count, "cron", id="step_of_names", day_of_week="mon-fri/2", hour=2)
scheduler.add_job(count, "cron", id="no_such_hour", hour=24)
scheduler.add_job(count, "cron", id="every_minute_of_two", hour=2)
scheduler.add_job(count, "cron", id="every_second")
scheduler.add_job(count, id="at_once")
scheduler.add_job(lambda: count(), "cron", id="a_lambda", hour=2)
scheduler.add_job(count, "cron", id="grace_of_none", hour=2, misfire_grace_time=None)
scheduler.add_job(count, "cron", id="not_coalesced", hour=2, coalesce=False, max_instances=2)
scheduler.add_job(count, "cron", id="twice", hour=4)
scheduler.add_job(count, "cron", id="twice", hour=5)
scheduler.start()
