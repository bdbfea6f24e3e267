"""clocks watch: one look at all slots; a host's timer runs it every minute."""

from __future__ import annotations

import socket
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from scheduled_tasks import __version__
from scheduled_tasks.cli.options import json_option
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.instants import shown
from scheduled_tasks.operate.feature_flags import revert_expired
from scheduled_tasks.project import database_now, open_database
from scheduled_tasks.render.names import Places

if TYPE_CHECKING:
    from scheduled_tasks.operate.account import Account


@click.command("watch")
@click.option("--quiet", is_flag=True, help="Say only what was written.")
@json_option
def watch(*, quiet: bool, as_json: bool) -> None:
    """Account for every slot whose time is over: write as missed what nobody ran, or as skipped and why.

    One look; on a deployed host a timer does it every minute. As root there, it also tells the database what is
    deployed and paused on this host, ends pauses whose time is over, and starts what they held back. An apply that was
    killed is brought to its end.
    """
    from scheduled_tasks.deploy import start_requests
    from scheduled_tasks.operate import host_watch
    from scheduled_tasks.operate.account import account, last_heartbeat

    places, host = Places(), socket.gethostname()
    started: list[str] = []
    finished = _finish_apply(places)  # it needs no database
    with open_database() as database:
        now = database_now(database)
        if host_watch.can_report(places):
            before = last_heartbeat(database, host)
            host_watch.report_deployed(database, places, host, now)
            host_watch.report_pauses(database, places, host, now)
            revert_expired(database)
            settled = host_watch.reconcile_host(database, places, host)
            done = account(database, host, now, __version__)
            started = host_watch.take_over(places, settled.to_take_over, host)
            if before is not None:
                started += host_watch.catch_up(database, places, host, before, now)
            start_requests.sweep(places)
        else:
            done = account(database, None, now)
    if as_json:
        show_json(
            {
                "written": [asdict(verdict) | {"slot": verdict.slot._asdict()} for verdict in done.recorded],
                "accounted_until": done.accounted_until,
                "silent": done.dead_hosts,
                "started": started,
                "finished_apply": finished,
            }
        )
    else:
        _show(done, started, quiet=quiet)


def _finish_apply(places: Places) -> bool:
    from scheduled_tasks.operate import host_watch

    try:
        done = host_watch.finish_apply(places)
    except ScheduledTasksError as error:
        click.echo(f"clocks: an apply that was killed can't be finished: {error}", err=True)
        return False
    for unit in (*done.started, *done.caught_up) if done else ():
        click.echo(f"started {unit}, which an apply that was killed had left", err=True)
    return done is not None


def _show(done: Account, started: list[str], *, quiet: bool) -> None:
    for verdict in done.recorded:
        slot = verdict.slot
        on = f" on {slot.host}" if slot.host else ""
        click.echo(f"{verdict.status} {slot.clock}/{slot.job} {shown(slot.at)}{on}: {verdict.reason}")
    for unit in started:
        click.echo(f"started {unit}, which a pause held back, or whose host is gone")
    if quiet:
        return
    for host in done.dead_hosts:
        click.echo(f"no heartbeat from {host}")
    if not (done.recorded or started):
        click.echo("every slot whose time is over is accounted for")


@click.command("reconcile")
def reconcile() -> None:
    """Write into the ledger what this host's runs could not: ends kept on disk, runs that were killed. Needs root.

    A job's failure calls it, and the watch does the same every minute.
    """
    from scheduled_tasks.operate import host_watch

    host = socket.gethostname()
    with open_database() as database:
        done = host_watch.reconcile_host(database, Places(), host)
    for each in done.lost:
        click.echo(f"lost {each.clock}/{each.job} on {each.host}")
    click.echo(f"{done.results} results, {done.failures} failures, {len(done.lost)} lost runs written")


COMMANDS = (watch, reconcile)
