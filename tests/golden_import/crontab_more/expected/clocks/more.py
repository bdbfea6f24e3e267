"""The jobs of more."""

from scheduled_tasks import Clock
from scheduled_tasks.bundled import command

scheduler = Clock(timezone="Europe/Paris")
ENVIRONMENT = {"TZ": "America/New_York", "BASH_ENV": "/srv/shop/env"}
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/a"]],
    kwargs={"environment": ENVIRONMENT},
    id="a",
    name="/srv/shop/bin/a",
    month=1,
    day=1,
    hour=0,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/b"]],
    kwargs={"environment": ENVIRONMENT},
    id="b",
    name="/srv/shop/bin/b",
    month=1,
    day=1,
    hour=0,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/c"]],
    kwargs={"environment": ENVIRONMENT},
    id="c",
    name="/srv/shop/bin/c",
    hour=0,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/d"]],
    kwargs={"environment": ENVIRONMENT},
    id="d",
    name="/srv/shop/bin/d",
    day=1,
    hour=0,
    minute=0,
)
# Not imported, see the report: more:10 @DAILY /srv/shop/bin/capitals
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/any_minute"]],
    kwargs={"environment": ENVIRONMENT},
    id="any_minute",
    name="/srv/shop/bin/any_minute",
    hour=5,
    minute=0,
    jitter=3540,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/from_ten"]],
    kwargs={"environment": ENVIRONMENT},
    id="from_ten",
    name="/srv/shop/bin/from_ten",
    hour=5,
    minute=10,
    jitter=2940,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/until_twenty"]],
    kwargs={"environment": ENVIRONMENT},
    id="until_twenty",
    name="/srv/shop/bin/until_twenty",
    hour=5,
    minute=0,
    jitter=1200,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/any_hour"]],
    kwargs={"environment": ENVIRONMENT},
    id="any_hour",
    name="/srv/shop/bin/any_hour",
    hour=2,
    minute=0,
    jitter=10800,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/or_and_names"]],
    kwargs={"environment": ENVIRONMENT},
    id="or_and_names",
    name="/srv/shop/bin/or_and_names",
    month="jan-mar",
    day="1,15",
    hour=9,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/or_and_names"]],
    kwargs={"environment": ENVIRONMENT},
    id="or_and_names_2",
    name="/srv/shop/bin/or_and_names",
    month="jan-mar",
    day="2-14,16-31",
    day_of_week="mon",
    hour=9,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/sunday_is_seven"]],
    kwargs={"environment": ENVIRONMENT},
    id="sunday_is_seven",
    name="/srv/shop/bin/sunday_is_seven",
    day_of_week="sun",
    hour=9,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/rare"]],
    kwargs={"environment": ENVIRONMENT},
    id="rare",
    name="/srv/shop/bin/rare",
    day=31,
    hour=9,
    minute=0,
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/rare"]],
    kwargs={"environment": ENVIRONMENT},
    id="rare_2",
    name="/srv/shop/bin/rare",
    day="1-30",
    day_of_week="sun",
    hour=9,
    minute=0,
)
# Not imported, see the report: more:19 5 5 * * * /srv/shop/bin/of_mars
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/tabs", "with", "tabs"]],
    kwargs={"environment": ENVIRONMENT},
    id="tabs",
    name="/srv/shop/bin/tabs with tabs",
    hour=4,
    minute=0,
    timezone="UTC",
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/leap"]],
    kwargs={"environment": ENVIRONMENT},
    id="leap",
    name="/srv/shop/bin/leap",
    month=2,
    day=29,
    hour=4,
    minute=0,
    timezone="UTC",
)
# Not imported, see the report: more:23 0 4 30 2 * /srv/shop/bin/never
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/too_wide"]],
    kwargs={"environment": ENVIRONMENT},
    id="too_wide",
    name="/srv/shop/bin/too_wide",
    minute=0,
    timezone="UTC",
)
scheduler.add_job(
    command.run,
    "cron",
    [
        [
            "/bin/sh",
            "-c",
            ". /srv/shop/profile; cd /srv/shop && ./run >>/var/log/shop.log 2>&1",
        ],
    ],
    kwargs={"environment": ENVIRONMENT},
    id="profile",
    name=". /srv/shop/profile; cd /srv/shop && ./run >>/var/log/shop.log 2>&1",
    hour=4,
    minute=0,
    timezone="UTC",
)
scheduler.add_job(
    command.run,
    "cron",
    [["/bin/sh", "-c", 'FOO=bar BAZ="q x" /srv/shop/bin/with_variables']],
    kwargs={"environment": ENVIRONMENT},
    id="with_variables",
    name='FOO=bar BAZ="q x" /srv/shop/bin/with_variables',
    hour=4,
    minute=0,
    timezone="UTC",
)
scheduler.add_job(
    command.run,
    "cron",
    [["/bin/sh", "-c", "sleep $((RANDOM"]],
    kwargs={"environment": ENVIRONMENT, "stdin": " 600)); /srv/shop/bin/sleeps\n"},
    id="sleep",
    name="sleep $((RANDOM",
    hour=4,
    minute=0,
    timezone="UTC",
)
scheduler.add_job(
    command.run,
    "cron",
    [["flock", "-n", "/tmp/lock", "/srv/shop/bin/locked"]],
    kwargs={"environment": ENVIRONMENT},
    id="lock",
    name="flock -n /tmp/lock /srv/shop/bin/locked",
    hour=4,
    minute=0,
    timezone="UTC",
)
scheduler.add_job(
    command.run,
    "cron",
    [["nice", "-n", "19", "ionice", "-c3", "/srv/shop/bin/nicely"]],
    kwargs={"environment": ENVIRONMENT},
    id="nicely",
    name="nice -n 19 ionice -c3 /srv/shop/bin/nicely",
    hour=4,
    minute=0,
    timezone="UTC",
)
scheduler.add_job(
    command.run,
    "cron",
    [["curl", "-fsS", "https://hooks.example.org/ping/abc"]],
    kwargs={"environment": ENVIRONMENT},
    id="curl",
    name="curl -fsS https://hooks.example.org/ping/abc",
    hour=4,
    minute=0,
    timezone="UTC",
)
scheduler.add_job(
    command.run,
    "cron",
    [["true"]],
    kwargs={"environment": ENVIRONMENT, "stdin": "\ntwo empty lines\n"},
    id="job",
    name="true",
    hour=4,
    minute=0,
    timezone="UTC",
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/windows"]],
    kwargs={"environment": ENVIRONMENT},
    id="windows",
    name="/srv/shop/bin/windows",
    hour=6,
    minute=0,
    timezone="UTC",
)
scheduler.add_job(
    command.run,
    "cron",
    [["/srv/shop/bin/no_newline"]],
    kwargs={"environment": ENVIRONMENT},
    id="no_newline",
    name="/srv/shop/bin/no_newline",
    hour=7,
    minute=0,
    timezone="UTC",
)
