"""The watch of a Kubernetes namespace: a process that looks once a minute, in place of a timer of systemd.

Run by the Deployment that `clocks export kubernetes` writes; called by `clocks watch --host`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from scheduled_tasks import __version__
from scheduled_tasks.errors import ScheduledTasksError, UsageError
from scheduled_tasks.project import database_now, load_configuration, open_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from scheduled_tasks.operate.watch.watch_pass import Pass
    from scheduled_tasks.run.database import Connection
    from scheduled_tasks.run.settings import Settings

SENDER_ENDS_WITHIN = 10.0  # seconds, when the watch is stopped
SEND = (sys.executable, "-P", "-m", "scheduled_tasks.cli", "notify", "send", "--quiet")


def watch_cluster(
    host: str,
    folder: Path | None,
    every: float | None,
    show: Callable[[Pass], None],
    has_routes: Callable[[Settings], bool],
) -> None:
    """Look once, or every so many seconds until a signal comes; after a look that fails, the next one follows.

    Args:
        host: CLUSTER/NAMESPACE.
        folder: has the manifests of the jobs.
        every: seconds between two looks; None for one look.
        show: prints what a pass has done.
        has_routes: whether the configuration has a route for notices.

    Raises:
        UsageError: an option is missing, or the name is not that of a namespace of a cluster.
        ConfigurationError: the manifests are wrong.
        ScheduledTasksError: the only look failed.
    """
    from scheduled_tasks.operate.watch.cluster_pass import read_jobs

    if not (host and folder):
        raise UsageError("--host and --jobs belong together, and --every to both: as in the Deployment of an export")
    if host.count("/") != 1 or not all(host.split("/")):
        raise UsageError(f"--host {host}: expected CLUSTER/NAMESPACE, the name that the export gave it")
    jobs = read_jobs(folder)
    look = partial(_look, host, jobs, has_routes)
    if not every:
        done, has_notices = look()
        if has_notices:
            subprocess.run(SEND, check=False)
        show(done)
        return
    click.echo(f"watching {len(jobs)} jobs on {host}")
    _look_until_stopped(look, show, every)


def _look_until_stopped(look: Callable[[], tuple[Pass, bool]], show: Callable[[Pass], None], every: float) -> None:
    """Look every so many seconds; the sender of notices runs beside it, in a process of its own."""
    import psycopg

    stopped = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopped.set())
    sender: subprocess.Popen[bytes] | None = None
    while not stopped.is_set():
        began = time.monotonic()
        try:
            done, has_notices = look()
            if has_notices and (sender is None or sender.poll() is not None):
                sender = subprocess.Popen(SEND)
            show(done)
        except (ScheduledTasksError, psycopg.Error) as error:  # the latter when the database goes away during a look
            click.echo(f"clocks: {error}", err=True)
        stopped.wait(max(0.0, began + every - time.monotonic()))
    if sender is not None:
        try:
            sender.wait(SENDER_ENDS_WITHIN)
        except subprocess.TimeoutExpired:  # what it has not sent, the next sender sends
            sender.terminate()


def _look(host: str, jobs: list[dict[str, Any]], has_routes: Callable[[Settings], bool]) -> tuple[Pass, bool]:
    """Take a pass; return what it did, and whether there is something to send."""
    from scheduled_tasks.alert.judge import judge
    from scheduled_tasks.operate.prune import KEEP_LOG_DAYS, keep_days
    from scheduled_tasks.operate.watch.cluster_pass import run_cluster_pass

    configuration = load_configuration()
    with open_database() as database:
        now = database_now(database)
        done = run_cluster_pass(
            database, host, jobs, now,
            release=__version__,
            keep_days=keep_days(configuration.get("keep_runs")),
            keep_logs=keep_days(configuration.get("keep_logs"), "keep_logs", KEEP_LOG_DAYS),
            judge=partial(judge, database, now, has_routes=has_routes(configuration)),
        )  # fmt: skip
        _record_judged(database, done, host, now)
        is_due = _is_due(database, configuration, host, now)
    return done, is_due


def _record_judged(database: Connection, done: Pass, host: str, now: datetime) -> None:
    from scheduled_tasks.alert.outside.dead_man import record_judged
    from scheduled_tasks.operate.watch.watch_pass import JUDGE

    if done.account and JUDGE not in done.errors:
        done.step(database, "record that it judged", partial(record_judged, database, host, now))


def _is_due(database: Connection, configuration: Settings, host: str, now: datetime) -> bool:
    from scheduled_tasks.alert import sender
    from scheduled_tasks.alert.outside import outgoing
    from scheduled_tasks.alert.routes import notify_settings

    try:
        notify = notify_settings(configuration)
        return sender.is_due(database, notify, now) or outgoing.is_due(database, notify, host, now)
    except ScheduledTasksError as error:
        click.echo(f"clocks: can't start the sender of notices: {error}", err=True)
        return False
