"""The jobs of clock.py."""

from shop.tasks.clock import scheduled_job, timed_job, weekend

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(timed_job, "interval", id="timed_job", minutes=3)
scheduler.add_job(
    scheduled_job,
    "cron",
    id="scheduled_job",
    day_of_week="mon-fri",
    hour=17,
)
scheduler.add_job(weekend, "cron", id="saturdays", day_of_week="sat", hour=9)
scheduler.add_job(weekend, "cron", id="sundays", day_of_week="sun", hour=10)
