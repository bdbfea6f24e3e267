"""Secrets in arguments: everybody can read a unit. The faults name their place, and don't repeat them."""

from shop.tasks.booking import count, remind

from scheduled_tasks import Clock, app

scheduler = Clock(timezone="UTC")
scheduler.add_job(remind, "cron", [app, "postgresql://robot:hunter2@db/shop"], id="url", hour=1)
scheduler.add_job(remind, "cron", [app, "redis://:hunter2@cache"], id="no_user", hour=1)
scheduler.add_job(remind, "cron", [app, "postgresql://robot:hun@ter2@db/shop"], id="at_sign", hour=1)
scheduler.add_job(remind, "cron", [app, "host=db password = 'hunter2'"], id="keywords", hour=1)
scheduler.add_job(remind, "cron", [app, "postgresql://db/shop?user=robot&password=hunter2"], id="query", hour=1)
scheduler.add_job(remind, "cron", [app], {"channel": {"smtp": ["x", {"Password": "hunter2"}]}}, id="inside", hour=1)
scheduler.add_job(remind, "cron", [app], {"channel": {"AWS_SECRET_ACCESS_KEY": "hunter2"}}, id="key", hour=1)
scheduler.add_job(count, "cron", ["postgresql://robot:hunter2@db/shop"], id="not_taken", hour=1)
scheduler.add_job(remind, "cron", [app, "mail"], {"days": "https://robot:hunter2@x/"}, id="other", hour="hunter3")
scheduler.add_job(
    remind,
    "cron",
    [app],
    {"channel": {"password_reset": "x", "token_count": "2", "password": "", "url": "https://x:8080/a@b"}},
    id="none",
    hour=1,
)
raise ValueError("can't reach postgresql://robot:hunter2@db/shop")
