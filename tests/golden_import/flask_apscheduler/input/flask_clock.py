from flask import Flask
from flask_apscheduler import APScheduler

from shop.tasks.booking import count

scheduler = APScheduler()


@scheduler.task("interval", id="do_job_1", seconds=30, misfire_grace_time=900)
def job1():
    """Do the first job."""
    print("Job 1 executed")


@scheduler.task("cron", id="do_job_2", minute="*")
def job2():
    with scheduler.app.app_context():
        print("Job 2 executed")


scheduler.add_job("count", count, trigger="cron", hour=4)

if __name__ == "__main__":
    app = Flask(__name__)
    scheduler.init_app(app)
    scheduler.start()
    app.run()
