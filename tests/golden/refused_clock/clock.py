"""What is wrong with the clock itself; its jobs are judged all the same."""

from shop.tasks.booking import count

from scheduled_tasks import Clock

scheduler = Clock(timezone="Europe/Pari", timeot="5min", memory_max="512 monkeys")
scheduler.add_job(count, "cron", id="plural", hours=5)
