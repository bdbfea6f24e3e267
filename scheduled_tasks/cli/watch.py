"""clocks watch, reconcile: account for all overdue slots; a timer of each host runs it every minute."""

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
from scheduled_tasks.project import database_now, open_database
from scheduled_tasks.render.names import Places

if TYPE_CHECKING:
    from scheduled_tasks.operate.account import Account


class WatchError(ScheduledTasksError):
    """Steps of the watch failed."""


@click.command("watch")
@click.option("--quiet", is_flag=True, help="Show only what was recorded.")
@json_option
def watch(*, quiet: bool, as_json: bool) -> None:
    """Record overdue slots as missed or skipped.

    Runs once; on a deployed host, a timer starts it every minute. As root on such a host, it also records what is
    deployed and paused there, ends expired pauses, starts the jobs that they blocked, and finishes an apply that was
    killed.
    """
    from scheduled_tasks.operate import host_watch
    from scheduled_tasks.operate.account import account
    from scheduled_tasks.operate.watch_pass import Pass, run_pass

    places = Places()
    finished = _finish_apply(places)  # needs no database
    with open_database() as database:
        now = database_now(database)
        if host_watch.can_report(places):
            done = run_pass(database, places, socket.gethostname(), now, __version__)
        else:
            done = Pass(account(database, None, now))
    if as_json and done.account:
        show_json(
            {
                "recorded": [asdict(verdict) | {"slot": verdict.slot._asdict()} for verdict in done.account.recorded],
                "accounted_until": done.account.accounted_until,
                "dead_hosts": done.account.dead_hosts,
                "started": done.started,
                "finished_apply": finished,
            }
        )
    elif done.account:
        _show(done.account, done.started, quiet=quiet)
    if done.errors:
        problems = (f"can't {what}: {type(error).__name__}: {error}" for what, error in done.errors.items())
        raise WatchError("; ".join(problems)) from ExceptionGroup("the watch's steps", [*done.errors.values()])


def _finish_apply(places: Places) -> bool:
    from scheduled_tasks.operate import host_watch

    try:
        done = host_watch.finish_apply(places)
    except ScheduledTasksError as error:
        click.echo(f"clocks: can't finish an apply that was killed: {error}", err=True)
        return False
    for unit in (*done.started, *done.caught_up) if done else ():
        click.echo(f"started {unit}, which an apply that was killed had stopped", err=True)
    return done is not None


def _show(done: Account, started: list[str], *, quiet: bool) -> None:
    for verdict in done.recorded:
        slot = verdict.slot
        on = f" on {slot.host}" if slot.host else ""
        click.echo(f"{verdict.status} {slot.clock}/{slot.job} {shown(slot.at)}{on}: {verdict.reason}")
    for unit in started:
        click.echo(f"started {unit}, to catch up after a pause or to take over from a dead host")
    if quiet:
        return
    for host in done.dead_hosts:
        click.echo(f"no heartbeat from {host}")
    if not (done.recorded or started):
        click.echo("every overdue slot is accounted for")


@click.command("reconcile")
def reconcile() -> None:
    """Record what this host's runs could not.

    Results spooled to disk, and runs that were killed. Needs root. A job's failure starts it, and the watch does the
    same every minute.
    """
    from scheduled_tasks.operate import host_watch

    host = socket.gethostname()
    with open_database() as database:
        done = host_watch.reconcile_host(database, Places(), host)
    for run in done.lost:
        click.echo(f"lost {run.clock}/{run.job} on {run.host}")
    click.echo(f"{done.results} results, {done.failures} failures, {len(done.lost)} lost runs recorded")


COMMANDS = (watch, reconcile)
