"""clocks watch, reconcile, forget-host: account for all slots, of this host every minute and of one that is gone."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scheduled_tasks import __version__
from scheduled_tasks.cli.common import actor
from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.options import json_option
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError, ServiceUnavailableError
from scheduled_tasks.instants import shown
from scheduled_tasks.project import database_now, load_configuration, open_database
from scheduled_tasks.quantities import counted
from scheduled_tasks.render.names import Places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduled_tasks.operate.watch.watch_pass import Pass
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.run.settings import Settings


class WatchError(ScheduledTasksError):
    """Steps of the watch failed."""


@click.command("watch")
@click.option("--quiet", is_flag=True, help="Show only what was recorded.")
@click.option("--host", metavar="CLUSTER/NAMESPACE", default="", help="Watch the CronJobs of a Kubernetes namespace.")
@click.option(
    "--jobs", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="With --host: the manifests of these jobs, which the export wrote.",
)  # fmt: skip
@click.option(
    "--every", metavar="SECONDS", type=click.FloatRange(min=1), default=None,
    help="With --host: look again every so many seconds, until it is stopped.",
)  # fmt: skip
@json_option
def watch(*, quiet: bool, as_json: bool, host: str, jobs: Path | None, every: float | None) -> None:
    """Record overdue slots as missed or skipped.

    Runs once; on a deployed host, a timer starts it every minute. As root on such a host, it also records what is
    deployed and paused there, ends expired pauses, starts the jobs that they blocked, and finishes an apply that was
    killed. A Deployment runs it with --host in a Kubernetes cluster, where no timer can.
    """
    from scheduled_tasks.operate import host_watch
    from scheduled_tasks.operate.account import account
    from scheduled_tasks.operate.watch.watch_pass import Pass

    if host or jobs or every:
        from scheduled_tasks.cli.clusters.watching import watch_cluster

        watch_cluster(host, jobs, every, partial(_report, quiet=quiet, as_json=as_json), _has_routes)
        return
    places = Places()
    _renew_credentials(places)
    finished = _finish_apply(places)  # needs no database
    with _outage_recorded(places), open_database() as database:
        now = database_now(database)
        if host_watch.can_report(places):
            if not _check_in(database, places, now):
                return
            done = _pass(database, places, now)
            _record_judged(database, done, now)
            _write_metrics(database, done, places, now)
            _start_sender(database, places, now)
            done.step(database, "start the listener", partial(host_watch.start_listener, places))
        else:
            done = Pass(account(database, None, now))
    _report(done, quiet=quiet, as_json=as_json, finished=finished)


def _report(done: Pass, *, quiet: bool, as_json: bool, finished: bool = False) -> None:
    """Show what a pass did, and raise WatchError if steps of it failed."""
    if as_json and done.account:
        show_json(
            {
                "recorded": [asdict(verdict) | {"slot": verdict.slot._asdict()} for verdict in done.account.recorded],
                "accounted_until": done.account.accounted_until,
                "dead_hosts": done.account.dead_hosts,
                "started": done.started,
                "requests": done.requests,
                "finished_apply": finished,
            }
        )
    elif done.account:
        _show(done, quiet=quiet)
    if done.had_failed:
        click.echo("clocks: the watch succeeds again", err=True)
    if done.errors:
        problems = (f"can't {what}: {type(error).__name__}: {error}" for what, error in done.errors.items())
        raise WatchError("; ".join(problems)) from ExceptionGroup("the watch's steps", [*done.errors.values()])


def _pass(database: Connection, places: Places, now: datetime) -> Pass:
    from scheduled_tasks.alert.judge import judge
    from scheduled_tasks.operate.prune import KEEP_LOG_DAYS, keep_days
    from scheduled_tasks.operate.watch.watch_pass import run_pass

    configuration = load_configuration()
    return run_pass(
        database,
        places,
        socket.gethostname(),
        now,
        release=__version__,
        keep_days=keep_days(configuration.get("keep_runs")),
        keep_logs=keep_days(configuration.get("keep_logs"), "keep_logs", KEEP_LOG_DAYS),
        judge=partial(judge, database, now, has_routes=_has_routes(configuration)),
    )


def _has_routes(configuration: Settings) -> bool:
    """Whether somebody can be told; also of a table with faults, so that no notice is dropped because of them."""
    from scheduled_tasks.alert.routes import notify_settings

    try:
        notify = notify_settings(configuration)
    except ConfigurationError:
        return True
    return bool(notify.routes)


def _start_sender(database: Connection, places: Places, now: datetime) -> None:
    """Start the sender of notices if there is something to send; if that fails, the next look does it."""
    from scheduled_tasks.alert.routes import notify_settings
    from scheduled_tasks.metrics.traces.trace_settings import trace_settings

    try:
        notify, traces = notify_settings(load_configuration()), trace_settings(load_configuration())
        if not places.has_sender:
            return
        from scheduled_tasks.alert import outage, sender
        from scheduled_tasks.alert.outside import outgoing

        # Asked in any case: it records that this host exports, without which no span is queued.
        has_spans = bool(traces) and _has_spans(database, now)
        is_due = sender.is_due(database, notify, now) or outgoing.is_due(database, notify, socket.gethostname(), now)
        if has_spans or is_due or outage.is_due(places, datetime.now(UTC)):
            sender.start(places)
    except ScheduledTasksError as error:
        click.echo(f"clocks: can't start the sender of notices: {error}", err=True)


def _has_spans(database: Connection, now: datetime) -> bool:
    """Whether the sender has spans to export, as this host's configuration wants."""
    from scheduled_tasks.metrics.traces import export

    export.record_wanted(database, now)
    return export.is_due(database, now)


def _record_judged(database: Connection, done: Pass, now: datetime) -> None:
    """Record for the dead man's switch that this look judged."""
    from scheduled_tasks.alert.outside.dead_man import record_judged
    from scheduled_tasks.operate.watch.watch_pass import JUDGE

    if done.account and JUDGE not in done.errors:
        done.step(database, "record that it judged", partial(record_judged, database, socket.gethostname(), now))


def _write_metrics(database: Connection, done: Pass, places: Places, now: datetime) -> None:
    """Write this host's metrics for node_exporter, if the configuration says where."""
    if load_configuration().get("metrics_textfile_folder"):
        from scheduled_tasks.metrics import textfile

        write = partial(textfile.write, database, places, socket.gethostname(), now, load_configuration())
        done.step(database, "write metrics", write)


def _write_metrics_of_outage(places: Places, now: datetime) -> None:
    """Leave no older metrics for node_exporter while the ledger can't be read."""
    if load_configuration().get("metrics_textfile_folder"):
        from scheduled_tasks.metrics import textfile

        with suppress(OSError, ConfigurationError):  # the watch's own error says more
            textfile.write_without_ledger(places, socket.gethostname(), now, load_configuration())


@contextmanager
def _outage_recorded(places: Places) -> Iterator[None]:
    """Record whether the watch can use the ledger; if it can't for long, let the sender of notices tell somebody."""
    from scheduled_tasks.alert import outage
    from scheduled_tasks.operate import host_watch

    if not host_watch.can_report(places):
        yield
        return
    now = datetime.now(UTC)
    try:
        yield
    except (ServiceUnavailableError, ConfigurationError) as error:
        outage.record(places, socket.gethostname(), now, error)
        _write_metrics_of_outage(places, now)
        if outage.is_due(places, now):
            from scheduled_tasks.alert import sender

            with suppress(ScheduledTasksError):  # the watch's own error says more
                sender.start(places)
        raise
    outage.end(places, now)


def _check_in(database: Connection, places: Places, now: datetime) -> bool:
    """Make sure that this machine's name is its own; False if that can't be known yet, a moment after a restart.

    Raises:
        OtherMachineError: the name belongs to another machine, and so do its runs.
    """
    from scheduled_tasks.operate import hosts

    try:
        former = hosts.check_in_here(database, places, now)
    except hosts.RestartedError as error:
        click.echo(f"clocks: {error}", err=True)
        return False
    if former:
        click.echo(f"this host's name was {former}: its open runs and jobs continue under the new name", err=True)
    return True


def _renew_credentials(places: Places) -> None:
    from scheduled_tasks.deploy import credentials

    try:
        credentials.renew(places)
    except ScheduledTasksError as error:
        click.echo(f"clocks: can't renew the credentials: {error}", err=True)


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


def _show(done: Pass, *, quiet: bool) -> None:
    recorded, dead_hosts = (done.account.recorded, done.account.dead_hosts) if done.account else ([], [])
    for verdict in recorded:
        slot = verdict.slot
        on = f" on {slot.host}" if slot.host else ""
        click.echo(f"{verdict.status} {slot.clock}/{slot.job} {shown(slot.at)}{on}: {verdict.reason}")
    for unit in done.started:
        click.echo(f"started {unit}, to catch up after a pause or to take over from a dead host")
    for line in done.requests:
        click.echo(line)
    if quiet:
        return
    for host in dead_hosts:
        click.echo(f"no heartbeat from {host}")
    if not (recorded or done.started):
        click.echo("every overdue slot is accounted for")


@click.command("reconcile")
@json_option
def reconcile(*, as_json: bool) -> None:
    """Record what this host's runs could not.

    Results spooled to disk, and runs that were killed; and it stores the last log lines of runs that failed. Needs
    root. A job's failure starts it, and the watch does the same every minute.
    """
    from scheduled_tasks.operate import host_watch

    places, host = Places(), socket.gethostname()
    with open_database() as database:
        if not _check_in(database, places, database_now(database)):
            return
        done = host_watch.reconcile_host(database, places, host)
        logs = host_watch.store_run_logs(database, places, host)
        _start_sender(database, places, database_now(database))
    if as_json:
        show_json(asdict(done) | {"lost": [run._asdict() for run in done.lost], "logs": logs})
        return
    for run in done.lost:
        click.echo(f"lost {run.clock}/{run.job} on {run.host}")
    counts = (counted(done.results, "result"), counted(done.failures, "failure"), counted(len(done.lost), "lost run"))
    click.echo(f"{', '.join(counts)} recorded")


@click.command("forget-host")
@click.argument("name", shell_complete=completion.hosts)
@click.option("--yes", is_flag=True, help="Even if it had a heartbeat in the last five minutes.")
@json_option
def forget_host(*, name: str, yes: bool, as_json: bool) -> None:
    """Forget a host that no longer exists.

    Its jobs are no longer due there, its open runs are recorded as lost, and its slots without a run up to now as
    missed. A machine that gets the name later is another host.
    """
    from scheduled_tasks.operate import hosts

    with open_database() as database:
        done = hosts.forget(database, name, database_now(database), by=actor(), even_if_alive=yes)
    if as_json:
        show_json(done._asdict())
    else:
        counts = counted(done.jobs, "job"), counted(done.runs, "run"), counted(done.slots, "slot")
        click.echo("forgot {}: {} closed, {} lost, {} accounted for".format(name, *counts))


COMMANDS = (watch, reconcile, forget_host)
