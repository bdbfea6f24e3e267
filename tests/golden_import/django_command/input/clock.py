import logging

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger

from shop.tasks.booking import count

logger = logging.getLogger(__name__)


class BaseCommand:
    """Stands for Django's own, django.core.management.base.BaseCommand."""


def my_job():
    """Do what is done every ten seconds."""


class Command(BaseCommand):
    help = "Runs APScheduler."

    def handle(self, *args, **options):
        scheduler = BlockingScheduler(timezone="Europe/Paris")
        scheduler.add_job(my_job, trigger=CronTrigger(second="*/10"), id="my_job", max_instances=1, replace_existing=True)
        logger.info("Added job 'my_job'.")
        scheduler.add_job(
            count,
            trigger=CronTrigger(day_of_week="mon", hour="00", minute="00"),
            id="count",
            max_instances=1,
        )
        try:
            logger.info("Starting scheduler...")
            scheduler.start()
        except KeyboardInterrupt:
            scheduler.shutdown()


if __name__ == "__main__":
    Command().handle()
