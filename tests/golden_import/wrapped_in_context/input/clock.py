"""A Flask application in the file, and a wrapper that gives each job its context."""
from functools import wraps

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from shop.jobs import clean_up

app = Flask(__name__)
scheduler = BackgroundScheduler(timezone="Europe/Paris")


def in_context(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        with app.app_context():
            return function(*args, **kwargs)

    return wrapper


@in_context
def expire_carts():
    """Expire carts."""
    print("carts expired")


with app.app_context():
    scheduler.add_job(expire_carts, "cron", hour=3)
    scheduler.add_job(in_context(clean_up), "cron", hour=4, id="clean_up")

if __name__ == "__main__":
    scheduler.start()
    app.run(use_reloader=False)
