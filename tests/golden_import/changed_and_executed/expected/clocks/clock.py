"""The jobs of clock.py."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="rescheduled_by_its_handle", hour="5", minute="10")
scheduler.add_job(count, "cron", id="rescheduled_by_its_id", minute="*/15")
scheduler.add_job(count, "cron", id="count", hour="3", minute="20")
scheduler.add_job(count, "cron", id="modified", hour=6)
scheduler.add_job(count, "cron", id="paused", hour=7, next_run_time=None)
scheduler.add_job(count, "cron", id="perhaps", hour=9)
