from apscheduler.schedulers.blocking import BlockingScheduler

from shop.tasks.booking import count

scheduler = BlockingScheduler()
for zone in ("Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "America/Santiago"):
    name = zone.partition("/")[2].lower()
    scheduler.add_job(count, "cron", id=f"{name}_night", hour=2, minute=15, timezone=zone)
    scheduler.add_job(count, "cron", id=f"{name}_midnight", hour=0, timezone=zone)
    scheduler.add_job(count, "cron", id=f"{name}_quarters", minute="*/15", timezone=zone)
scheduler.start()
