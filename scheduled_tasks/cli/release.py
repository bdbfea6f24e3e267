"""clocks check, prune: whether this release may come into force here, and what it leaves behind is taken away."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial

import click

from scheduled_tasks.cli.options import check_option, json_option
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.clock import ClockSpec
from scheduled_tasks.errors import ScheduledTasksError
from scheduled_tasks.project import (
    configured_features,
    configured_host,
    enabled_clocks,
    load_configuration,
    open_database,
)
from scheduled_tasks.render.names import Places
from scheduled_tasks.run import context
from scheduled_tasks.run.find_task import find_task

FAULTY = 65


@click.command("check")
@click.option("--without-database", is_flag=True, help="Leave out whether the database is reachable.")
@json_option
def check(*, without_database: bool, as_json: bool) -> None:
    """Find out whether this release could come into force here; exits 65 where it could not. Changes nothing.

    Every clock file is read, every task is found as a run finds it, systemd reads the units, what stands in their way
    is looked for, and the database is spoken to.
    """
    faults = list(_faults(without_database=without_database))
    if as_json:
        show_json({"sound": not faults, "faults": faults})
    else:
        click.echo("\n".join(faults) or "sound: it could come into force here")
    sys.exit(FAULTY if faults else 0)


def _faults(*, without_database: bool) -> Iterator[str]:
    configuration = load_configuration()
    try:
        clocks = enabled_clocks()
    except ScheduledTasksError as error:
        yield str(error)
    else:
        yield from _of_the_tasks(clocks)
        yield from _said_by(lambda: _judge_units(clocks))
    if configuration.get("features"):
        yield from _said_by(configured_features)
    if app := configuration.get("app"):
        yield from _said_by(lambda: context.load_object(app, "app"))
    if not without_database:
        yield from _said_by(_speak_to_the_database)


def _said_by(act: Callable[[], object]) -> Iterator[str]:
    try:
        act()
    except ScheduledTasksError as error:
        yield str(error)


def _of_the_tasks(clocks: list[ClockSpec]) -> Iterator[str]:
    """Each task is looked up by its name, as run-task does: that its function is importable says less."""
    configuration = load_configuration()
    domains, make_app = configuration.require("domains"), context.application_factory(configuration.get("app"))
    found: set[str] = set()
    for clock in clocks:
        for job in clock.jobs:
            if job.task not in found:
                for fault in _said_by(partial(find_task, job.task, domains, make_app)):
                    yield f"{job.file}:{job.line}: job {clock.name}/{job.id}: {fault}"
                found.add(job.task)


def _judge_units(clocks: list[ClockSpec]) -> None:
    from scheduled_tasks.deploy.apply import ForeignUnitError, judge
    from scheduled_tasks.deploy.machine_state import read_machine_state
    from scheduled_tasks.render.units import render

    files = render(clocks, configured_host())
    state = read_machine_state(Places(), files, whole=False)
    if state.conflicts:
        raise ForeignUnitError(state.conflicts)
    judge(files, Places())


def _speak_to_the_database() -> None:
    with open_database() as database:
        database.execute("SELECT 1")


@click.command("prune-releases")
@click.option("--keep", type=click.IntRange(min=1), default=3, show_default=True, help="So many releases stay.")
@check_option
@json_option
def prune(*, keep: int, check: bool, as_json: bool) -> None:
    """Take away old releases, with the sets of units that need them; not one that a job still runs. Needs root."""
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
        return
    verb = "would remove" if check else "removed"
    for kind, each in ((kind, each) for kind, names in asdict(done).items() for each in names):
        click.echo(f"{verb} {kind.removesuffix('s')} {each}")
    if not done.changed:
        click.echo("nothing to do: no release is too many")


COMMANDS = (check, prune)
