"""The jobs of clock.py."""

from shop.tasks.booking import remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(
    remind,
    "cron",
    [app, 'a "quoted" channel with quite some text in it'],
    kwargs={"days": 3},
    id="remind_everybody_who_has_booked",
    name="It's for everybody",
    day_of_week="tue,thu,sat",
    hour="7,12,19",
    minute="5,35",
)
