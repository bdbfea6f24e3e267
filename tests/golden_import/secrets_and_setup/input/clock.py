import os

import sentry_sdk
from apscheduler.schedulers.blocking import BlockingScheduler
from dotenv import load_dotenv

load_dotenv()
sentry_sdk.init(dsn=os.environ["SENTRY_DSN"])
API_KEY = os.environ["API_KEY"]
scheduler = BlockingScheduler(timezone="Europe/Paris")


def synchronise(key=API_KEY):
    """Synchronise."""


scheduler.add_job(synchronise, "cron", hour=5)
scheduler.add_job(synchronise, "cron", [os.environ["OTHER_KEY"]], hour=6, id="other")
scheduler.add_job(synchronise, "cron", ["sk_live_1234567890"], hour=7, id="in_the_file")
scheduler.start()
