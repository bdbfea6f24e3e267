from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import remind as remind_of_bookings
from shop import app as flask_app

CRON = dict(day_of_week="tue,thu,sat", hour="7,12,19", minute="5,35")
scheduler = BlockingScheduler(gconfig={"apscheduler.timezone": "Europe/Paris", "apscheduler.job_defaults.coalesce": "true"})
scheduler.add_job(
    remind_of_bookings,
    "cron",
    args=(flask_app, 'a "quoted" channel with quite some text in it'),
    kwargs=dict(days=3),
    id="remind_everybody_who_has_booked",
    name="It's for everybody",
    replace_existing=True,
    jobstore="default",
    **CRON,
)
scheduler.start()
