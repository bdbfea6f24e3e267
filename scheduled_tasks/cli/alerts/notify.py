"""clocks notify: send the notices that are due, and test the routes by which they go."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import actor
from scheduled_tasks.cli.help.sections import Group
from scheduled_tasks.cli.options import json_option
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.errors import ConfigurationError, ServiceUnavailableError, UsageError
from scheduled_tasks.faults import what_to_write
from scheduled_tasks.project import configured_host, database_now, load_configuration, open_database
from scheduled_tasks.quantities import counted
from scheduled_tasks.render import names
from scheduled_tasks.render.names import Places
from scheduled_tasks.run.current import host_name

if TYPE_CHECKING:
    from scheduled_tasks.alert.routes import NotifySettings
    from scheduled_tasks.alert.trial import Tried


@click.group("notify", cls=Group)
def group() -> None:
    """Send notices, and test the routes by which they go."""


@group.command("send")
@click.option("--quiet", is_flag=True, help="Show only what was sent, and what went wrong.")
@json_option
def send(*, quiet: bool, as_json: bool) -> None:
    """Send the notices that are due.

    Then it pings monitors outside, and exports the spans of runs. On a deployed host, the watch and a job's failure
    start it, as clock-notify.service. If there are several hosts, each notice is sent by one of them. Exits 75 if a
    message was not accepted: it is tried again, by the next route if need be.
    """
    from scheduled_tasks.alert import sender
    from scheduled_tasks.alert.outside import outgoing
    from scheduled_tasks.alert.routes import notify_settings
    from scheduled_tasks.metrics.traces.export import export_spans
    from scheduled_tasks.metrics.traces.trace_settings import trace_settings

    configuration = load_configuration()
    settings, traces = notify_settings(configuration), trace_settings(configuration)
    _tell_of_outage(settings)
    with open_database(as_sender=True) as database:
        done = sender.send_due(database, settings, partial(database_now, database))

        def send_what_came_since() -> None:
            if sender.is_due(database, settings, database_now(database)):
                done.add(sender.send_due(database, settings, partial(database_now, database)))

        now = database_now(database)
        problems = outgoing.send(database, configuration, settings, host_name(), now)
        exported = export_spans(database, configuration, traces, database_now(database), send_what_came_since)
    problems += exported.problems
    if as_json:
        show_json(asdict(done) | {"outside": problems, "spans": exported.spans})
    else:
        for line in done.messages:
            click.echo(f"sent by {line}")
        if exported.spans and not quiet:
            click.echo(f"exported {counted(exported.spans, 'span')}")
        if not (done.messages or done.problems or exported.spans or quiet):
            click.echo("nothing is due")
    for problem in (*(f"not sent by {problem}" for problem in done.problems), *problems):
        click.echo(f"clocks: {problem}", err=True)
    if done.problems or problems:
        sys.exit(ServiceUnavailableError.exit_code)


def _tell_of_outage(settings: NotifySettings) -> None:
    """Tell that this host's watch can't use the ledger, which needs no database; in the sender's unit only."""
    from scheduled_tasks.alert import fallback

    if folder := os.environ.get("RUNTIME_DIRECTORY"):
        for problem in fallback.tell(settings, Places(), datetime.now(UTC), Path(folder)):
            click.echo(f"clocks: {problem}", err=True)


@group.command("test")
@click.argument("route", nargs=-1)
@json_option
def test(route: tuple[str, ...], *, as_json: bool) -> None:
    """Send a test message by each ROUTE, or by all.

    As root on a deployed host, it is sent from inside the sandbox of clock-notify.service: with its user, its
    credentials, and the addresses that it can reach. Exits 75 if a message was not accepted.
    """
    from scheduled_tasks.alert.routes import notify_settings

    settings = notify_settings(load_configuration())
    chosen = _chosen(settings, route)
    places = Places()
    has_sender = os.geteuid() == 0 and places.has_sender
    tried = _try_inside(chosen, places) if has_sender else _try_here(settings, chosen)
    if as_json:
        show_json({"routes": [asdict(one) for one in tried], "inside_sandbox": has_sender})
    else:
        for one in tried:
            how = f"sent in {one.seconds:.1f} s" if one.sent else "not sent"
            click.echo(f"{one.route} ({one.kind}): {how}{f': {one.problem}' if one.problem else ''}")
    if not all(one.sent for one in tried):
        sys.exit(ServiceUnavailableError.exit_code)


def _chosen(settings: NotifySettings, named: tuple[str, ...]) -> list[str]:
    """The names of the routes to test.

    Raises:
        ConfigurationError: there is no route.
        UsageError: a name is not that of a route.
    """
    if not settings.routes:
        raise ConfigurationError("no route is configured: write [notify.routes.NAME] into the configuration")
    for name in named:
        if name not in settings.routes:
            raise UsageError(f"there is no route {name!r}; {what_to_write(name, settings.routes, 'the routes')}")
    return list(named or settings.routes)


def _try_here(settings: NotifySettings, chosen: list[str]) -> list[Tried]:
    from scheduled_tasks.alert.trial import try_route

    by = os.environ.get(TESTED_BY) or actor()
    return [try_route(settings.routes[name], socket.gethostname(), by) for name in chosen]


def _try_inside(chosen: list[str], places: Places) -> list[Tried]:
    from scheduled_tasks.alert.trial import Tried
    from scheduled_tasks.deploy.machine_state import read_set
    from scheduled_tasks.deploy.sandboxes.inside import run_inside

    command = [configured_host().clocks_command, "notify", "test", *chosen, "--json"]
    environment = {TESTED_BY: actor()}
    done = run_inside(read_set(places.current.resolve()), names.NOTIFY, command, places, environment)
    try:
        return [Tried(**one) for one in json.loads(done.output)["routes"]]
    except (ValueError, LookupError, TypeError):
        problem = (done.error or done.output).partition("\n")[0].removeprefix("clocks: ")
        raise ServiceUnavailableError(f"{names.NOTIFY} can't send: {problem}") from None


TESTED_BY = "SCHEDULED_TASKS_TESTED_BY"  # who asked for the test; inside the sandbox it is another user
COMMANDS = (group,)
