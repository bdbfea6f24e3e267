"""The jobs of clock.py."""

from shop.tasks.booking import count, remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="one", hour=1, misfire_grace_time=30)
scheduler.add_job(count, "cron", id="two", hour=2, misfire_grace_time=30)
scheduler.add_job(count, "cron", id="b", hour=5, misfire_grace_time=30)
scheduler.add_job(count, "cron", id="c", hour=6, misfire_grace_time=30)
scheduler.add_job(count, "cron", id="d", hour=7, misfire_grace_time=30)
scheduler.add_job(count, "cron", id="y_0", hour=8, minute=0, misfire_grace_time=30)
scheduler.add_job(count, "cron", id="zz_1", hour=8, minute=1, misfire_grace_time=30)
scheduler.add_job(count, "cron", id="zz_2", hour=8, minute=2, misfire_grace_time=30)
scheduler.add_job(count, "cron", id="last_3", hour=8, minute=3, misfire_grace_time=30)
scheduler.add_job(count, "cron", id="plain", hour=9, minute=30, misfire_grace_time=30)
scheduler.add_job(
    remind,
    "cron",
    [app, "mail"],
    id="with_more",
    hour=10,
    minute=45,
    misfire_grace_time=30,
)
scheduler.add_job(
    count,
    "cron",
    id="as_many_as_names",
    hour=17,
    minute=5,
    misfire_grace_time=30,
)
# Not imported, see the report: clock.py:73 clock/called
# Not imported, see the report: clock.py:78 clock/perhaps_later
# Not imported, see the report: clock.py:83 clock/count
scheduler.add_job(
    count,
    "cron",
    id="either_way",
    hour=15,
    minute=5,
    misfire_grace_time=30,
)
scheduler.add_job(
    remind,
    "cron",
    [app, "mail"],
    id="as_it_was",
    hour=16,
    misfire_grace_time=30,
)
