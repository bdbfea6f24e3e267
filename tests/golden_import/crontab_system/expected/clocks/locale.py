"""The jobs of etc/cron.d/locale."""

from scheduled_tasks import Clock
from scheduled_tasks.bundled import command

scheduler = Clock(timezone="Europe/Paris")
scheduler.add_job(
    command.run,
    "cron",
    [["/usr/bin/php", "-f", "/srv/cloud/cron.php"]],
    id="cron",
    name="/usr/bin/php -f /srv/cloud/cron.php",
    minute="*/5",
    user="www-data",
)
scheduler.add_job(
    command.run,
    "cron",
    [["/usr/bin/true"]],
    id="job",
    name="/usr/bin/true",
    day=1,
    hour=0,
    minute=0,
    user="nobody",
)
