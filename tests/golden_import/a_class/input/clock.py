from apscheduler.schedulers.background import BackgroundScheduler

from shop.tasks.booking import count


class Clock:
    def __init__(self, timezone):
        self.scheduler = BackgroundScheduler(timezone=timezone)
        self.hours = [1, 13]

    def tick(self):
        """Is bound to an object."""

    def add(self, minute):
        for hour in self.hours:
            self.scheduler.add_job(count, "cron", hour=hour, minute=minute)
        self.scheduler.add_job(self.tick, "cron", minute=5, id="bound")


clock = Clock("Europe/Paris")
clock.add(45)
clock.scheduler.start()
