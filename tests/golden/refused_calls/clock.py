"""Faults of a call itself, all reported at once."""

import os

from shop.tasks.booking import cancel_expired_bookings, count, remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(cancel_expired_bookings(app), "cron", [app], id="called", hour=1)
scheduler.add_job(func=count(), trigger="cron", id="called_by_name", hour=1)
scheduler.add_job(cancel_expired_bookings, "cron", id="without_app", hour=1)
scheduler.add_job(remind, "cron", [app], id="without_channel", hour=1)
scheduler.add_job(count, "cron", [app], id="one_too_many", hour=1)
scheduler.add_job(count, "cron", id="twice", hour=1)
scheduler.add_job(count, "cron", id="twice", hour=2)
scheduler.add_job(count, "cron", id="With-Dash", hour=1)
scheduler.add_job(os.getcwd, "cron", id="not_in_a_domain", hour=1)
scheduler.add_job("shop.tasks.booking:count", "cron", id="text", hour=1)
scheduler.add_job(remind, "cron", [app, {1, 2}], id="no_json", hour=1)
scheduler.add_job(remind, "cron", [app, {"@": "app"}], id="not_the_app", hour=1)
scheduler.add_job(count, "cron", "app", id="args_are_text", hour=1)
scheduler.add_job(count, "cron", id="process_options", hour=1, jobstore="redis", executor="x", replace_existing=True)
scheduler.add_job(count, "cron", id="options", hour=1, coalesce=False, max_instances=3, misfire_grace_time=300)
scheduler.add_job(count, "cron", id="paused", hour=1, next_run_time=None)
scheduler.add_job(  # a comment between
    count(), "cron", id="called_behind_a_comment", hour=1
)
