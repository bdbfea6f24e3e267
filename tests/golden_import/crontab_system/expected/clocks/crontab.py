"""The jobs of etc/crontab."""

from scheduled_tasks import Clock
from scheduled_tasks.bundled import command

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(
    command.run,
    "cron",
    [["/bin/sh", "-c", "cd / && run-parts --report /etc/cron.hourly"]],
    id="run_parts",
    name="cd / && run-parts --report /etc/cron.hourly",
    minute=17,
)
scheduler.add_job(
    command.run,
    "cron",
    [
        [
            "/bin/sh",
            "-c",
            "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }",
        ],
    ],
    id="run_parts_2",
    name="test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }",
    hour=6,
    minute=25,
)
scheduler.add_job(
    command.run,
    "cron",
    [
        [
            "/bin/sh",
            "-c",
            "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; }",
        ],
    ],
    id="run_parts_3",
    name="test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; }",
    day_of_week="sun",
    hour=6,
    minute=47,
)
scheduler.add_job(
    command.run,
    "cron",
    [
        [
            "/bin/sh",
            "-c",
            "test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.monthly; }",
        ],
    ],
    id="run_parts_4",
    name="test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.monthly; }",
    day=1,
    hour=6,
    minute=52,
)
