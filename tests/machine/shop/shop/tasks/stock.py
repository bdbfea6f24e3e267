import logging
import time
from pathlib import Path

from scheduled_tasks import log_cron

STAY = Path("/srv/stay")  # while it is there, a recount goes on
PRY = Path("/srv/pry.py")  # what a recount executes besides


@log_cron
def recount():
    """Count the stock anew."""
    if PRY.exists():
        exec(PRY.read_text(), {"logging": logging, "__name__": __name__})
    while STAY.exists():
        time.sleep(0.1)
    from shop.version import VERSION  # late, as large tasks import: a deploy meanwhile must not change it

    logging.getLogger(__name__).info("recounted", extra={"version": VERSION})
