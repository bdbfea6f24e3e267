"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

import logging
from scheduled_tasks import log_cron

logger = logging.getLogger(__name__)

LIMIT = 30


# What the accountants asked for.
@log_cron
def nightly_report():
    """Write the nightly report."""
    logger.info("at most %s", LIMIT)


@log_cron
def timed_job():
    helper("every ten minutes")


@log_cron
def open_hours():
    """Do what is done while the shop is open."""


def helper(text):
    logger.info(text)
