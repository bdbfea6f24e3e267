"""clocks listen: start the watch of this host as soon as it is asked for something."""

from __future__ import annotations

import socket
import time

import click

from scheduled_tasks.cli.common import require_root
from scheduled_tasks.errors import ServiceUnavailableError
from scheduled_tasks.project import open_database
from scheduled_tasks.render.names import LISTEN, Places


@click.command("listen")
def listen() -> None:
    """Start the watch when this host is asked for something.

    Needs root; clock-listen.service runs it on hosts with `listen = true` in the configuration. Ends when another set
    of units becomes current; the watch starts the service again.
    """
    from scheduled_tasks.operate.requests.listen import CHECK_INTERVAL, start_watch
    from scheduled_tasks.operate.requests.listen import listen as listen_for_requests

    require_root("starting the watch needs root")
    current = Places().current
    began_with = current.resolve()

    def goes_on() -> bool:
        return current.resolve() == began_with and (current / LISTEN).exists()

    was_away = False
    while goes_on():
        try:
            with open_database() as database:
                if was_away:
                    click.echo("clocks: listening again", err=True)
                was_away = False
                listen_for_requests(database, socket.gethostname(), start_watch, goes_on)
        except ServiceUnavailableError as error:
            if not was_away:
                click.echo(f"clocks: not listening, the watch still looks each minute: {error}", err=True)
            was_away = True
            time.sleep(CHECK_INTERVAL)


COMMANDS = (listen,)
