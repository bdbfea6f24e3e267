from apscheduler.schedulers.background import BackgroundScheduler

from shop.tasks.booking import count


class ShopScheduler(BackgroundScheduler):
    """Logs what it is told."""

    def add_job(self, *args, **kwargs):
        print("adding", args)
        return super().add_job(*args, **kwargs)


scheduler = ShopScheduler(timezone="Europe/Paris", job_defaults={"misfire_grace_time": 600})
scheduler.add_job(count, "cron", hour=2, id="count")
scheduler.start()
