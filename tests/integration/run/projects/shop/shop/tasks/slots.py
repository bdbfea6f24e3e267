"""Tasks that know the time they work for."""

import logging
import sys

from scheduled_tasks import cron_idempotent, current_run

logger = logging.getLogger(__name__)


def work(scheduled_at):
    """Says the time."""
    run = current_run()
    assert run.scheduled_at == scheduled_at
    logger.info("%s, attempt %s, slot %s", scheduled_at.isoformat(), run.attempt, run.has_slot)


def wait():
    """Goes on until its standard input ends."""
    logger.info("ready")
    sys.stdin.read()


@cron_idempotent
def again():
    """May be run again after anything."""
    logger.info("done again")


@cron_idempotent
def fail():
    """Fails, and may be run again."""
    raise RuntimeError("no luck")
