"""Arguments of jobs reach the task through the unit; parameters that the task gets otherwise are not written there."""

from shop.tasks.booking import count, remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="Europe/Paris", description="Reminders: 100% of them")
scheduler.add_job(remind, "cron", [app, "e-mail"], id="by_mail", name="Remind by mail", hour=18)
scheduler.add_job(remind, "cron", [app], {"channel": 'say "hi" for $5\\ 10%', "days": 2}, id="quoted", hour=18)
scheduler.add_job(remind, "cron", kwargs={"app": app, "channel": "naïve 'text'\nof two lines"}, id="by_name", hour=18)
scheduler.add_job(count, "cron", [], id="none", hour=18, misfire_grace_time=1)
