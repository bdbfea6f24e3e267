"""The jobs of nightly."""

from scheduled_tasks import Clock
from scheduled_tasks.bundled import command

scheduler = Clock(timezone="Europe/Paris")
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "fr_FR.UTF-8"}
ENVIRONMENT_2 = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "fr_FR.UTF-8",
    "HOME": "/srv/shop",
}
# Nightly.
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/nightly", "--all", "two words"]],
    kwargs={"environment": ENVIRONMENT},
    id="nightly",
    name='/srv/shop/bin/nightly --all "two words"',
    hour=2,
    minute=30,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/quarter"]],
    kwargs={"environment": ENVIRONMENT},
    id="quarter",
    name="/srv/shop/bin/quarter",
    hour=2,
    minute="*/15",
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/unlucky"]],
    kwargs={"environment": ENVIRONMENT},
    id="unlucky",
    name="/srv/shop/bin/unlucky",
    day=13,
    hour=0,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/unlucky"]],
    kwargs={"environment": ENVIRONMENT},
    id="unlucky_2",
    name="/srv/shop/bin/unlucky",
    day="1-12,14-31",
    day_of_week="fri",
    hour=0,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/bin/bash", "-c", '[ "$(date +%a)" = Mon ] && /srv/shop/bin/first_monday']],
    kwargs={"environment": ENVIRONMENT},
    id="date",
    name='[ "$(date +%a)" = Mon ] && /srv/shop/bin/first_monday',
    day="1-7",
    hour=9,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["mail", "-s", "report", "boss@example.org"]],
    kwargs={"environment": ENVIRONMENT, "stdin": "Dear boss,\nall is well.\n"},
    id="mail",
    name="mail -s report boss@example.org",
    day_of_week="sun,wed",
    hour=10,
    minute=15,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/daily"]],
    kwargs={"environment": ENVIRONMENT},
    id="daily",
    name="/srv/shop/bin/daily",
    hour=0,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/hourly"]],
    kwargs={"environment": ENVIRONMENT},
    id="hourly",
    name="/srv/shop/bin/hourly",
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/weekly"]],
    kwargs={"environment": ENVIRONMENT},
    id="weekly",
    name="/srv/shop/bin/weekly",
    day_of_week="sun",
    hour=0,
    minute=0,
)
# Not imported, see the report: nightly:19 @reboot /srv/shop/bin/start
# Not imported, see the report: nightly:20 @fortnightly /srv/shop/bin/never
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/somewhen"]],
    kwargs={"environment": ENVIRONMENT},
    id="somewhen",
    name="/srv/shop/bin/somewhen",
    hour=5,
    minute=0,
    jitter=1800,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/some_day"]],
    kwargs={"environment": ENVIRONMENT},
    id="some_day",
    name="/srv/shop/bin/some_day",
    day=13,
    hour=3,
    minute=0,
)
# Not imported, see the report: nightly:24 61 4 * * * /srv/shop/bin/no_such_minute
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/abroad"]],
    kwargs={"environment": ENVIRONMENT},
    id="abroad",
    name="/srv/shop/bin/abroad",
    day_of_week="mon,tue,wed,thu,fri",
    hour=2,
    minute=30,
    timezone="America/New_York",
)
scheduler.add_job(
    command.run,
    "cron",
    [["bin/and"]],
    kwargs={"environment": ENVIRONMENT_2, "directory": "/srv/shop"},
    id="and",
    name="bin/and",
    day="*/2",
    day_of_week="mon",
    hour=0,
    minute=0,
    timezone="America/New_York",
)
scheduler.add_job(
    command.run,
    "cron",
    [["echo", "run this at minute 23 past every second hour"]],
    kwargs={"environment": ENVIRONMENT_2, "directory": "/srv/shop"},
    id="echo",
    name='echo "run this at minute 23 past every second hour"',
    hour="0-23/2",
    minute=23,
    timezone="America/New_York",
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/quiet"]],
    kwargs={"environment": ENVIRONMENT_2, "directory": "/srv/shop"},
    id="quiet",
    name="/srv/shop/bin/quiet",
    hour=4,
    minute=5,
    timezone="America/New_York",
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/weekend"]],
    kwargs={"environment": ENVIRONMENT_2, "directory": "/srv/shop"},
    id="weekend",
    name="/srv/shop/bin/weekend",
    day_of_week="fri,sat,sun",
    hour=22,
    minute=0,
    timezone="America/New_York",
)
