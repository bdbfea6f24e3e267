"""Two credentials are of this clock only: its role in the database, in place of the common one, and a key."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(count, "cron", id="nightly", hour=3)
