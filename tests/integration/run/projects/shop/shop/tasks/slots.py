"""Tasks that know the time they work for."""

import logging
import os
import signal
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


class Interrupter:
    """Has a signal come while psycopg is imported, by parts."""

    def find_spec(self, name, path=None, target=None):
        """Finds nothing; sends the signal at the part named."""
        if name == os.environ["SHOP_SIGNAL_AT_IMPORT_OF"]:
            os.kill(os.getpid(), signal.SIGTERM)


if "SHOP_SIGNAL_AT_IMPORT_OF" in os.environ:
    sys.meta_path.insert(0, Interrupter())
