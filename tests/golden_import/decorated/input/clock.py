import logging

from apscheduler.schedulers.blocking import BlockingScheduler

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)
sched = BlockingScheduler(timezone="Europe/Paris")

LIMIT = 30


# What the accountants asked for.
@sched.scheduled_job("cron", id="nightly", hour=2, minute=30)
def nightly_report():
    """Write the nightly report."""
    logger.info("at most %s", LIMIT)


@sched.scheduled_job("interval", minutes=10)
def timed_job():
    helper("every ten minutes")


@sched.scheduled_job("cron", day_of_week="mon-fri", hour="9-17")
@sched.scheduled_job("cron", day_of_week="sat", hour=12)
def _open_hours():
    """Do what is done while the shop is open."""


def helper(text):
    logger.info(text)


sched.start()
