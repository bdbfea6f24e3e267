"""The jobs of etc/cron.d/php."""

from scheduled_tasks import Clock
from scheduled_tasks.bundled import command

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(
    command.run,
    "cron",
    [
        [
            "/bin/sh",
            "-c",
            "[ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi",
        ],
    ],
    id="sessionclean",
    name="[ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi",
    minute="9,39",
)
