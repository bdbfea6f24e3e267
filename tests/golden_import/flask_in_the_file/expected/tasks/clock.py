"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from flask import Flask
from scheduled_tasks import log_cron

app = Flask(__name__)

app.config["LIMIT"] = 12


@log_cron
def expire():
    """Let what is old expire."""
    with app.app_context():
        app.logger.info("at most %s", app.config["LIMIT"])


@log_cron
def warm(application, name):
    """Warm a cache."""
