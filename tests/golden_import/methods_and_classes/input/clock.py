from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks import booking


class Reports:
    def __init__(self, folder):
        self.folder = folder

    def nightly(self):
        """Write the report."""

    @staticmethod
    def weekly():
        """Write the weekly report."""

    @classmethod
    def monthly(cls):
        """Write the monthly report."""


reports = Reports("/srv/reports")
scheduler = BlockingScheduler(timezone="Europe/Paris")
scheduler.add_job(reports.nightly, "cron", hour=1, id="bound")
scheduler.add_job(Reports("/srv").nightly, "cron", hour=2, id="bound_at_once")
scheduler.add_job(Reports.weekly, "cron", day_of_week="sun", hour=3, id="static")
scheduler.add_job(Reports.monthly, "cron", day=1, hour=4, id="of_the_class")
scheduler.add_job(booking.count, "cron", hour=5, id="of_a_module")
scheduler.start()
