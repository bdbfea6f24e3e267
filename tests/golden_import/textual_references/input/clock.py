from apscheduler.schedulers.blocking import BlockingScheduler

scheduler = BlockingScheduler(timezone="Europe/Paris")


def here():
    """Stands here."""


scheduler.add_job("shop.tasks.booking:count", "cron", hour=1, id="of_a_domain")
scheduler.add_job("shop.jobs:clean_up", "cron", hour=2, id="of_a_module")
scheduler.add_job("__main__:here", "cron", hour=3, id="of_this_file")
scheduler.add_job("sys:stdout.write", "cron", ["night\n"], hour=4, id="of_an_object")
scheduler.start()
