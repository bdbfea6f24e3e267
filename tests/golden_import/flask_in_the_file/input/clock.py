import os

from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

app = Flask(__name__)
app.config["LIMIT"] = 12


def expire():
    """Let what is old expire."""
    with app.app_context():
        app.logger.info("at most %s", app.config["LIMIT"])


def warm(application, name):
    """Warm a cache."""


@app.route("/")
def index():
    return "shop"


sched = BackgroundScheduler(daemon=True, timezone="Europe/Paris")
sched.add_job(expire, "cron", hour="*", minute=5)
sched.add_job(warm, "cron", [app, "front"], hour=7)
sched.start()

if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
