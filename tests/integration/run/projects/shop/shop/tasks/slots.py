"""Tasks that use their nominal time."""

import logging
import os
import signal
import sys

from scheduled_tasks import cron_idempotent, current_run

logger = logging.getLogger(__name__)


def work(scheduled_at):
    """Log the nominal time."""
    run = current_run()
    assert run.scheduled_at == scheduled_at
    logger.info("%s, attempt %s, slot %s", scheduled_at.isoformat(), run.attempt, run.has_slot)


def wait():
    """Run until standard input ends."""
    logger.info("ready")
    sys.stdin.read()


@cron_idempotent
def again():
    """Idempotent."""
    logger.info("done again")


@cron_idempotent
def fail():
    """Fail; idempotent."""
    raise RuntimeError("no luck")


class Interrupter:
    """Send a signal while a given part of psycopg is imported."""

    def find_spec(self, name, path=None, target=None):
        """Find nothing; send the signal when the part is imported."""
        if name == os.environ["SHOP_SIGNAL_AT_IMPORT_OF"]:
            os.kill(os.getpid(), signal.SIGTERM)


if "SHOP_SIGNAL_AT_IMPORT_OF" in os.environ:
    sys.meta_path.insert(0, Interrupter())
