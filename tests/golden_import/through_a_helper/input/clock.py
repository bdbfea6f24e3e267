"""Jobs that use what is not there any more."""

from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

scheduler = BlockingScheduler(timezone="Europe/Paris")


def stop_everything():
    scheduler.pause()


def uses_it_indirectly():
    """Stop."""
    stop_everything()


scheduler.add_job(uses_it_indirectly, "cron", hour=3)
scheduler.add_job(count, "cron", id="fine", hour=4)
scheduler.start()
