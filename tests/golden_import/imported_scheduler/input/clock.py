from shop.extensions import scheduler
from shop.tasks.booking import count


@scheduler.scheduled_job("cron", hour=1, id="nightly")
def nightly():
    """Run at night."""
    count()


scheduler.add_job(count, "cron", hour=2, id="count")
