import logging
import sys

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.events import EVENT_JOB_ERROR

from shop.tasks.booking import count

log = logging.getLogger(__name__)
scheduler = None
VERBOSE = False


def get_scheduler():
    global scheduler
    if scheduler is None:
        scheduler = BackgroundScheduler(timezone="Europe/Paris")
        scheduler.add_listener(lambda event: log.error("%s", event), EVENT_JOB_ERROR)
    return scheduler


def main(argv=None) -> int:
    s = get_scheduler()
    s.add_job(count, "cron", hour=2, id="first")
    get_scheduler().add_job(count, "cron", hour=3, id="second")
    if VERBOSE:
        s.add_job(count, "cron", minute="*", id="verbose")
    elif not VERBOSE and len(sys.argv) > 1:
        s.add_job(count, "cron", minute=5, id="by_argument")
    else:
        s.add_job(count, "cron", minute=10, id="otherwise")
    try:
        s.start()
    except KeyboardInterrupt:
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
