"""The group of all commands: `clocks`."""

from __future__ import annotations

import click

from scheduled_tasks import __version__
from scheduled_tasks.cli import (
    database,
    deploy,
    dev,
    doctor,
    features,
    init,
    logs,
    move,
    pauses,
    release,
    run,
    security,
    status,
    time,
    units,
    watch,
)
from scheduled_tasks.cli.output import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Recurring tasks as systemd timers: deploy, inspect, pause and run them."""


GROUPS = (
    *(units, deploy, release, status, logs, pauses, run, watch, doctor, security, time, features, database),
    *(move, init, dev),
)
for module in GROUPS:
    for command in module.COMMANDS:
        main.add_command(command)
