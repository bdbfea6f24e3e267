"""The tasks of the clock clock that were in clock.py, or not in shop.tasks."""

from flask import Flask
from functools import wraps
from scheduled_tasks import log_cron

app = Flask(__name__)


def in_context(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        with app.app_context():
            return function(*args, **kwargs)

    return wrapper


@log_cron
@in_context
def expire_carts():
    """Expire carts."""
    print("carts expired")
