"""Checks and steps that several commands share."""

from __future__ import annotations

import os
import pwd
import socket
import sys
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import click

from scheduled_tasks.errors import ConfigurationError, NotRootError, ScheduledTasksError, UsageError
from scheduled_tasks.faults import FaultsError
from scheduled_tasks.project import (
    database_now,
    enabled_clocks,
    has_database,
    missing_services_database,
    open_database,
    value_if_configured,
)
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scheduled_tasks.clock import ClockSpec
    from scheduled_tasks.deploy.sandboxes.trial import Trial
    from scheduled_tasks.operate.grants import RoleProblems
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.render.unit_set import UnitSet


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
    """Print warnings on standard error."""
    for warning in warnings:
        click.echo(f"clocks: warning: {warning}", err=True)


def clock_file_faults() -> list[str]:
    """What is wrong with the clock files, or with reading them; nothing if the configuration names none."""
    if not value_if_configured("clocks"):
        return []
    try:
        enabled_clocks(lines=False)
    except FaultsError as error:
        return [str(fault) for fault in error.faults]
    except ScheduledTasksError as error:
        return [str(error)]
    return []


def report_host(places: Places) -> None:
    """Record in the database what this host has deployed and paused; if that fails, the watch does so later."""
    from scheduled_tasks.operate import host_watch, hosts

    if places.home or not places.is_running or not host_watch.can_report(places):
        return
    if not has_database():
        return
    host = socket.gethostname()
    try:
        with open_database() as database:
            now = database_now(database)
            hosts.check_in_here(database, places, now)
            host_watch.report_deployed(database, places, host, now)
            host_watch.report_pauses(database, places, host, now)
    except ScheduledTasksError as error:
        problem = str(error).partition("\n")[0]
        click.echo(f"clocks: not recorded in the database yet; the watch will retry: {problem}", err=True)


def require_own_name(places: Places) -> None:
    """Refuse a machine whose name belongs to another one in the ledger; do nothing if no database answers.

    Raises:
        OtherMachineError: another machine has the name.
    """
    from scheduled_tasks.operate import hosts

    if places.home or not places.is_running or not has_database():
        return
    try:
        with open_database() as database:
            hosts.require_own_name(database, hosts.this_machine(), database_now(database))
    except hosts.OtherMachineError:
        raise
    except ScheduledTasksError:
        pass  # without a database nothing is recorded under the name, and the watch looks again


def require_services_database(clocks: Iterable[ClockSpec], places: Places) -> None:
    """Raise CutOffError if the services of these clocks would have no database."""
    from scheduled_tasks.deploy.sandboxes.trial import CutOffError

    if problem := missing_services_database(clocks, places):
        raise CutOffError(problem)


def try_sandboxes(units: UnitSet, run_task: str, places: Places, *, keep: bool = False) -> Trial:
    """Check that the jobs of a set reach their database from inside their sandbox, as far as this process can.

    Args:
        units: the set.
        run_task: the command of its services.
        places: where it is to be applied.
        keep: remember what passed, for the next apply.
    """
    from scheduled_tasks.deploy.sandboxes.trial import Trial, try_out

    if places.home:
        return Trial()
    untried = "did not check that the jobs reach the database from inside their sandbox: "
    if not places.is_running:
        return Trial(warnings=(f"{untried}an image runs nothing",))
    if os.geteuid() != 0:
        return Trial(warnings=(f"{untried}that needs root",))
    release = units.release
    if release and not release.configuration.exists():
        return Trial(warnings=(f"{untried}{release.configuration} isn't there yet",))
    command = f"{sys.prefix}/bin/run-task" if release else run_task
    trial = try_out(units, command, places, cache(services_database_answers), keep=keep)
    if not trial.roles:
        return trial
    from scheduled_tasks.operate.grants import Roles, wrong_roles  # imports psycopg

    clock_roles = Roles.configured(settings.load().values).clock_roles
    return replace(trial, faults=(*trial.faults, *wrong_roles(trial.roles, clock_roles)))


def inspect_services_roles() -> RoleProblems:
    """Check what the roles of the services' URLs can do that a task should not; not in a checkout, of one person.

    Those are `database_url` and the clocks' own, as far as this process can read them.

    Raises:
        ServiceUnavailableError: PostgreSQL is unreachable with one of the URLs.
    """
    from scheduled_tasks.operate.grants import RoleProblems, inspect_role
    from scheduled_tasks.run import database

    configuration = settings.load()
    credentials = map(str, configuration.values.get("credentials", ()))
    names = ("database_url", *(name for name in credentials if name.endswith(".database_url")))
    urls = {url for name in names if (url := settings.setting(name, ""))}
    if not configuration.deployed or not urls:
        return RoleProblems((), ())
    problems: list[RoleProblems] = []
    with open_database() as operators:
        query = "SELECT session_user::text, to_regclass('task_run') IS NOT NULL"
        [(operators_role, has_tables)] = operators.execute(query).fetchall()
        for url in sorted(urls):
            with database.connect(url, name="clocks") as services:
                if has_tables:
                    problems.append(inspect_role(services))
                    continue
                [(role,)] = services.execute("SELECT session_user::text").fetchall()
            if role == operators_role:
                same = f"jobs and operators have the same role, {role}: give the jobs one of their own, in database_url"
                problems.append(RoleProblems((same,), ()))
    faults = dict.fromkeys(fault for found in problems for fault in found.faults)
    return RoleProblems(tuple(faults), tuple(dict.fromkeys(text for found in problems for text in found.warnings)))


def services_database_answers() -> bool | None:
    """Whether PostgreSQL answers this process at the services' URL, without a login; None if the URL is unknown.

    Raises:
        ConfigurationError: the URL is not a connection string.
    """
    url = settings.setting("database_url", "")
    return database_answers(url) if url else None


def database_answers(url: str) -> bool:
    """Whether PostgreSQL answers this process, without a login.

    Raises:
        ConfigurationError: the URL is not a connection string.
    """
    from psycopg import ProgrammingError, pq
    from psycopg.conninfo import make_conninfo

    from scheduled_tasks.run import database

    try:
        return pq.PGconn.ping(make_conninfo(url, connect_timeout=database.CONNECT_TIMEOUT).encode()) == pq.Ping.OK
    except ProgrammingError:
        raise ConfigurationError(database.NOT_A_URL) from None
