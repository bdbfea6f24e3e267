"""clocks check, prune-releases: check a release before it is activated, and remove old ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial

import click

from scheduled_tasks.alert.routes import why_nobody_is_told
from scheduled_tasks.cli.common import (
    inspect_services_roles,
    require_own_name,
    require_services_database,
    show_warnings,
    try_sandboxes,
)
from scheduled_tasks.cli.options import check_option, json_option
from scheduled_tasks.cli.output import exit_if_pending, show_json
from scheduled_tasks.cli.page.faults import page_faults
from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError
from scheduled_tasks.metrics.sender_needs import missing_credentials
from scheduled_tasks.operate.transport import configured_risks
from scheduled_tasks.project import (
    configured_features,
    configured_host,
    enabled_clocks,
    load_configuration,
    open_database,
)
from scheduled_tasks.project_process import ask_project
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import UnitSet
from scheduled_tasks.run import context
from scheduled_tasks.run.find_task import find_task

FAULTY = 65


@click.command("check")
@click.option("--without-database", is_flag=True, help="Don't check that the database is reachable.")
@json_option
def check(*, without_database: bool, as_json: bool) -> None:
    """Check whether this release can be activated on this host.

    Exits 65 if it can't. Changes nothing.

    Reads every clock file, imports every task, lets systemd verify the units, looks for files in their way, and
    connects to the database; as root, it also connects from inside the jobs' sandboxes. The tasks' role must not be
    able to rewrite the ledger.
    """
    warnings: list[str] = []
    faults = list(dict.fromkeys(_faults(warnings, without_database=without_database)))
    warnings += configured_risks()
    if as_json:
        show_json({"sound": not faults, "faults": faults, "warnings": warnings})
    else:
        click.echo("\n".join(faults) or "ok: this release can be activated here")
        show_warnings(warnings)
    sys.exit(FAULTY if faults else 0)


def _faults(warnings: list[str], *, without_database: bool) -> Iterator[str]:
    configuration = load_configuration()
    connects = not without_database
    try:
        yield from missing_credentials(configuration)
    except ConfigurationError as error:  # the faults of [notify] or [traces]
        yield str(error)
    try:
        clocks = enabled_clocks()
    except ScheduledTasksError as error:
        yield str(error)
    else:
        missing = [] if without_database else list(_fault_of(lambda: require_services_database(clocks, Places())))
        yield from missing
        warnings += why_nobody_is_told(clocks, configuration)
        connects = connects and not missing  # to the jobs' database, and no other
        yield from _clock_faults(clocks, warnings, connects=connects)
    yield from page_faults(configuration, connects=not without_database)
    if configuration.get("features"):
        yield from _fault_of(configured_features)
    if app := configuration.get("app"):
        yield from _fault_of(lambda: ask_project(lambda: bool(context.load_object(app, "app")), f"app = {app!r}"))
    if connects:
        yield from _fault_of(lambda: _check_database(warnings))
        yield from _fault_of(lambda: require_own_name(Places()))


def _clock_faults(clocks: list[ClockSpec], warnings: list[str], *, connects: bool) -> Iterator[str]:
    try:
        yield from ask_project(lambda: list(_task_faults(clocks)), "the tasks' modules")
    except ScheduledTasksError as error:
        yield str(error)
    try:
        files = _check_units(clocks)
    except ScheduledTasksError as error:
        yield str(error)
        return
    if connects:
        trial = try_sandboxes(files, configured_host().run_task, Places())
        warnings += trial.warnings
        yield from trial.faults


def _fault_of(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except ScheduledTasksError as error:
        yield str(error)


def _task_faults(clocks: list[ClockSpec]) -> Iterator[str]:
    """Look up each task by name, as run-task does, which checks more than importing its function."""
    configuration = load_configuration()
    domains, make_app = configuration.require("domains"), context.application_factory(configuration.get("app"))
    checked: set[str] = set()
    for clock in clocks:
        for job in clock.jobs:
            if job.task not in checked:
                for fault in _fault_of(partial(find_task, job.task, domains, make_app)):
                    yield f"{job.file}:{job.line}: job {clock.name}/{job.id}: {fault}"
                checked.add(job.task)


def _check_units(clocks: list[ClockSpec]) -> UnitSet:
    from scheduled_tasks.deploy.apply import ForeignUnitError
    from scheduled_tasks.deploy.machine_state import read_machine_state
    from scheduled_tasks.deploy.remembered.judgement import judge
    from scheduled_tasks.render.units import render

    files = render(clocks, configured_host())
    state = read_machine_state(Places(), files, whole=False)
    if state.conflicts:
        raise ForeignUnitError(state.conflicts)
    judge(files, Places(), state.units)
    return files


def _check_database(warnings: list[str]) -> None:
    with open_database() as database:
        database.execute("SELECT 1")
    role = inspect_services_roles()
    warnings += role.warnings
    if role.faults:
        raise ConfigurationError("\n".join(role.faults))


@click.command("prune-releases")
@click.option("--keep", type=click.IntRange(min=1), default=3, show_default=True, help="How many releases to keep.")
@check_option
@json_option
def prune(*, keep: int, check: bool, as_json: bool) -> None:
    """Remove old releases and the sets of units that use them.

    Keeps releases that a running job uses. Needs root.
    """
    from scheduled_tasks.deploy.apply import locked
    from scheduled_tasks.deploy.effects import Effects
    from scheduled_tasks.deploy.releases import prune_releases

    if check:
        done = prune_releases(Places(), keep, act=False)
    else:
        with locked(Places(), Effects()):
            done = prune_releases(Places(), keep)
    if as_json:
        show_json({"changed": done.changed, **asdict(done)})
    else:
        verb = "would remove" if check else "removed"
        for kind, names in asdict(done).items():
            for name in names:
                click.echo(f"{verb} {kind.removesuffix('s')} {name}")
        if not done.changed:
            click.echo("nothing to do: no old releases")
    exit_if_pending(changes=done.changed, check=check)


COMMANDS = (check, prune)
