"""Checks and steps that several commands share."""

from __future__ import annotations

import os
import pwd
import socket
from typing import TYPE_CHECKING

import click

from scheduled_tasks.errors import NotRootError, ScheduledTasksError, UsageError
from scheduled_tasks.project import database_now, has_database, open_database

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scheduled_tasks.render.names import Places


def require_root(reason: str) -> None:
    """Raise NotRootError with the reason unless root runs this."""
    if os.geteuid() != 0:
        raise NotRootError(reason)


def require_empty(directory: Path) -> None:
    """Raise UsageError unless a directory for output is empty or new."""
    if directory.is_dir() and any(directory.iterdir()):
        raise UsageError(f"{directory} is not empty: name a new directory, nothing is overwritten")


def actor() -> str:
    """The name of the user who runs this, even through sudo; for the history."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name


def show_warnings(warnings: Iterable[str]) -> None:
    """Show on standard error what keeps nothing from going on."""
    for warning in warnings:
        click.echo(f"clocks: warning: {warning}", err=True)


def report_host(places: Places) -> None:
    """Record in the database what this host has deployed and paused; if that fails, the watch does so later."""
    from scheduled_tasks.operate import host_watch

    if places.home or not places.is_running or not host_watch.can_report(places):
        return
    if not has_database():
        return
    host = socket.gethostname()
    try:
        with open_database() as database:
            now = database_now(database)
            host_watch.report_deployed(database, places, host, now)
            host_watch.report_pauses(database, places, host, now)
    except ScheduledTasksError as error:
        problem = str(error).partition("\n")[0]
        click.echo(f"clocks: not recorded in the database yet; the watch will retry: {problem}", err=True)
