"""clocks doctor: find what is wrong with this machine's deployment, with the command that fixes each finding."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from scheduled_tasks.cli.common import actor, database_answers, inspect_services_roles
from scheduled_tasks.cli.options import chosen_places, json_option, user_option
from scheduled_tasks.cli.output import SOMETHING_BAD, show_json
from scheduled_tasks.deploy.doctor import (
    Finding,
    ManagerCommands,
    clock_findings,
    journal_findings,
    machine_findings,
)
from scheduled_tasks.deploy.systemd import NoSystemdError
from scheduled_tasks.errors import ConfigurationError, NotRootError, ScheduledTasksError
from scheduled_tasks.operate import embedded, feature_flags
from scheduled_tasks.operate.transport import configured_risks
from scheduled_tasks.operate.watch.watch_state import watch_problem
from scheduled_tasks.project import (
    OPERATORS_DATABASE_URL,
    configured_features,
    database_now,
    enabled_clocks,
    has_database,
    open_database,
)
from scheduled_tasks.render import names
from scheduled_tasks.render.unit_set import UnitSet
from scheduled_tasks.run import settings
from scheduled_tasks.terminal import one_line


@click.command("doctor")
@user_option
@json_option
def doctor(*, user: bool, as_json: bool) -> None:
    """Find what is wrong with this machine's timers.

    Shows the command that fixes each finding, and exits 3 if there is one. Changes nothing. On a deployed host it needs
    root.
    """
    from scheduled_tasks.deploy.journal import namespaces, read_journal
    from scheduled_tasks.deploy.machine_state import read_set

    places = chosen_places(Path("/"), user=user)
    units = read_set(places.current.resolve()) if places.current.is_dir() else UnitSet()
    commands = ManagerCommands(" --user" if user else "")
    findings = [
        *_check_machine(places, units, commands),
        *(_check_user() if user else ()),
        *_check_clock(),
        *(line for name in namespaces(units) for line in journal_findings(read_journal(name), datetime.now(UTC))),
        *_check_clock_files(),
        *_check_database(),
        *_check_host(places),
        *_database_findings(configured_risks()),
        *_check_services_role(),
    ]
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        click.echo("\n".join(map(str, findings)) or "healthy")
    sys.exit(SOMETHING_BAD if findings else 0)


def _check_machine(places: names.Places, units: UnitSet, commands: ManagerCommands) -> Iterator[Finding]:
    from scheduled_tasks.deploy.machine_state import failed_units, orphaned_stamps, read_machine_state
    from scheduled_tasks.operate.host_watch import due_times_here, unrecorded

    try:
        state, failed = read_machine_state(places, units), failed_units(places)
    except NoSystemdError as error:
        problem, _, advice = str(error).partition(": ")
        yield Finding("systemd", problem, advice=advice)
        return
    except ScheduledTasksError as error:
        yield Finding("systemd", str(error), commands.systemctl("status"))
        return
    yield from machine_findings(state, failed, orphaned_stamps(places), commands=commands)
    for found in due_times_here(places, datetime.now(UTC)):
        mend = commands.clocks("apply") if found.is_mended_by_apply else "apt-get install --only-upgrade tzdata"
        yield Finding(found.where, found.problem, mend)
    if problem := watch_problem(places):
        both = f"{names.WATCH_TIMER} {names.WATCH}"
        yield Finding("watch", problem, f"systemctl status {both}; journalctl --unit={names.WATCH} --lines=20")
    for path, problem in unrecorded(places).items():
        name, folder = one_line(path), path if path.is_dir() else path.parent
        # A command with the unprintable characters of a name would send them to the terminal.
        is_plain_file = name == str(path) and folder != path
        mend = f"rm {shlex.quote(name)}" if is_plain_file else f"ls -lb {shlex.quote(one_line(folder))}"
        yield Finding(name, problem, mend, "look at it first")


def _check_user() -> Iterator[Finding]:
    user = actor()
    if os.geteuid() != 0 and not Path("/var/lib/systemd/linger", user).exists():
        yield Finding(f"user {user}", "the timers stop when you log out", f"loginctl enable-linger {user}")


def _check_clock() -> Iterator[Finding]:
    try:
        shown = subprocess.run(["timedatectl", "show"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return
    yield from clock_findings(dict(line.partition("=")[::2] for line in shown.splitlines()))


def _check_clock_files() -> Iterator[Finding]:
    try:
        enabled_clocks(lines=False)
    except ScheduledTasksError as error:
        yield Finding("clock files", str(error), "clocks list")


def _check_database() -> Iterator[Finding]:
    """Check the database, which records every run even if the project has no flags."""
    configuration = settings.load()
    if not has_database() and configuration.sets_up and not embedded.is_set_up(configuration.state_directory):
        yield Finding("database", "not set up yet; the first run sets up an embedded one", "clocks setup")
        return
    try:
        declared = configured_features() if configuration.get("features") else None
        with open_database() as database:
            if declared is None:
                database.execute("SELECT 1 FROM task_run LIMIT 1")
                return
            known = {flag.name for flag in feature_flags.list_flags(database, declared)}
    except NotRootError:
        raise  # not a fault of the machine
    except ConfigurationError as error:
        from scheduled_tasks.run.database import SchemaMissingError  # psycopg is imported by now

        missing = isinstance(error, SchemaMissingError)
        mend, advice = ("clocks migrate", "") if missing else ("", f"edit {configuration.path}")
        yield Finding("database", str(error), mend, advice)
        return
    except ScheduledTasksError as error:
        yield _unreachable(str(error))
        return
    for name in sorted(set(declared.__members__) - known):
        yield Finding(f"flag {name}", "not in the table: its default applies", "clocks features sync")


def _unreachable(problem: str) -> Finding:
    """The finding about a database that refuses us, or does not answer at all: then the URL may well be right."""
    from psycopg.conninfo import conninfo_to_dict

    url, source = settings.setting(OPERATORS_DATABASE_URL, ""), settings.source_of(OPERATORS_DATABASE_URL)
    url, source = (url, source) if url else (settings.setting("database_url", ""), settings.source_of("database_url"))
    if not url:
        return Finding("database", problem, "clocks setup")
    if database_answers(url):
        return Finding("database", problem, advice=f"PostgreSQL answers there: correct the URL, {source}")
    given = conninfo_to_dict(url)
    host = str(given.get("hostaddr") or given.get("host") or "")
    if host.startswith("/") or host in {"", "localhost", "127.0.0.1", "::1"}:
        return Finding("database", problem, "systemctl status postgresql", f"nothing answers at the URL, {source}")
    return Finding("database", problem, advice=f"look at PostgreSQL on {host}; if it runs, at the network between")


def _check_host(places: names.Places) -> Iterator[Finding]:
    """Check that no other machine in the database has this one's name or machine ID."""
    from scheduled_tasks.operate import hosts

    if places.home or not settings.load().deployed:
        return
    try:
        machine = hosts.this_machine()
        with open_database() as database:
            twins = hosts.twins(database, machine)
            hosts.require_own_name(database, machine, database_now(database))
    except hosts.OtherMachineError as error:
        yield Finding("host", str(error))
    except ScheduledTasksError:
        return  # without systemd or a database, the other checks say so
    else:
        mend = f"rm {hosts.MACHINE_ID}; systemd-machine-id-setup; clocks forget-host {machine.name} --yes; reboot"
        for name in twins:
            yield Finding("host", f"it has the machine ID of {name}: one is a clone of the other", mend)


def _check_services_role() -> Iterator[Finding]:
    try:
        faults, warnings = inspect_services_roles()
    except ScheduledTasksError as error:
        yield Finding("database", f"the tasks' role can't be checked: {error}")
        return
    yield from _database_findings((*faults, *warnings))


def _database_findings(sentences: Iterable[str]) -> Iterator[Finding]:
    """Turn sentences of the form `PROBLEM: ADVICE` into findings."""
    for sentence in sentences:
        problem, _, advice = sentence.partition(": ")
        yield Finding("database", problem, advice=advice)


COMMANDS = (doctor,)
