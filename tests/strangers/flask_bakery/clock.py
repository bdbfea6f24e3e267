"""The bakery's clock, as it runs today."""

from apscheduler.schedulers.blocking import BlockingScheduler

from bakery import connection, create_app

app = create_app()
scheduler = BlockingScheduler(timezone="Europe/Paris")


def bake(app):
    """Bake what was ordered."""
    with app.app_context():
        baked = connection().execute("UPDATE orders SET baked = 1 WHERE baked = 0")
        connection().commit()
        app.logger.warning("baked %s", baked.rowcount)


scheduler.add_job(bake, "cron", [app], id="bake", hour=2, minute=30)
scheduler.add_job(bake, "cron", [app], id="bake_for_noon", day_of_week="mon-sat", hour=10)

if __name__ == "__main__":
    scheduler.start()
