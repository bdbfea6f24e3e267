"""clocks plan, apply, sets, rollback, remove: install units on this machine, switch back, uninstall."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from difflib import unified_diff
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scheduled_tasks.alert.routes import why_nobody_is_told
from scheduled_tasks.cli.common import (
    actor,
    report_host,
    require_own_name,
    require_services_database,
    show_warnings,
    try_sandboxes,
)
from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.options import chosen_places, json_option, root_option, user_option
from scheduled_tasks.cli.output import CHANGES_PENDING, show_json
from scheduled_tasks.cli.screens.local_times import LocalTimes, current_time, utc_option
from scheduled_tasks.cli.screens.plan_screen import show_plan
from scheduled_tasks.cli.screens.styles import on_terminal
from scheduled_tasks.cli.screens.tables import show_table
from scheduled_tasks.errors import ServiceUnavailableError, UsageError
from scheduled_tasks.instants import shown
from scheduled_tasks.metrics.sender_needs import missing_credentials
from scheduled_tasks.operate.transport import configured_risks
from scheduled_tasks.project import configured_host, enabled_clocks, has_database
from scheduled_tasks.quantities import counted
from scheduled_tasks.render.units import render, unsupported_options
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from scheduled_tasks.deploy.apply import Applied
    from scheduled_tasks.deploy.effects import Effects
    from scheduled_tasks.deploy.plan import Plan
    from scheduled_tasks.render.host import Host
    from scheduled_tasks.render.names import Places
    from scheduled_tasks.render.unit_set import UnitSet


without_database_option = click.option(
    "--without-database", is_flag=True, help="Don't check that the jobs reach their database from their sandbox."
)


@click.command("plan")
@click.option("--diff", is_flag=True, help="Show what changes in each file.")
@click.option("--details", is_flag=True, help="List every step, even if they are many.")
@without_database_option
@root_option
@user_option
@utc_option
@json_option
def plan_units(  # noqa: PLR0913 - a command's options
    *, root: Path, user: bool, diff: bool, details: bool, without_database: bool, as_json: bool
) -> None:
    """Show what `clocks apply` would do.

    Exits 2 if there is something to do. Changes nothing and needs no root.
    """
    from scheduled_tasks.deploy.apply import ForeignUnitError
    from scheduled_tasks.deploy.machine_state import read_machine_state
    from scheduled_tasks.deploy.plan import SLOW_RELOAD, changed_meanings, plan, reload_seconds
    from scheduled_tasks.deploy.remembered.judgement import judge

    places = chosen_places(root, user=user)
    clocks, host = enabled_clocks(), configured_host(places)
    if not without_database:
        require_services_database(clocks, places)
    files, lacking = render(clocks, host), unsupported_options(clocks, host)
    state = read_machine_state(places, files, whole=False)
    if state.conflicts:
        raise ForeignUnitError(state.conflicts)
    todo = plan(files, state)
    if todo.flips:
        judge(files, places, state.units)
        if not without_database:
            _require_reachable_database(files, host, places)
    timers, reload = _next_runs(todo, state.units, files), reload_seconds(files)
    options = changed_meanings(state.units, files)
    if as_json:
        differences = {"diff": "\n".join(_diff(todo, state.units, files))} if diff else {}
        kinds = ("created", "changed", "removed", "stop", "restart", "start", "reload")
        steps = {kind: getattr(todo, kind) for kind in kinds}
        changing = [{"timer": timer, "next": before, "new_next": after} for timer, before, after in timers]
        keys = ("job", "option", "meant", "means")
        effects: dict[str, object] = {"options": [dict(zip(keys, row, strict=True)) for row in options]}
        effects |= {"timers": changing, "running": dict(todo.on_running), "left_out": lacking, "reload_seconds": reload}
        show_json({"to_do": not todo.is_empty, **steps, **effects, **differences})
    elif todo.is_empty:
        click.echo("nothing to do: the timers match the clock files")
    else:
        show_plan(todo, timers, options, LocalTimes.of_command(), details=details)
        if reload > SLOW_RELOAD:
            click.echo(
                f"slow: lines in time zones add about {reload:.0f} s to each daemon-reload; in UTC they add nothing"
            )
        for sentence in lacking:
            click.echo(f"left out: {sentence}")
        if diff:
            click.echo("\n".join(("", *_diff(todo, state.units, files))))
    sys.exit(0 if todo.is_empty else CHANGES_PENDING)


def _next_runs(todo: Plan, old: UnitSet, new: UnitSet) -> list[tuple[str, datetime | None, datetime | None]]:
    """Each timer whose calendar is created, removed or changed, with its next run before and after."""
    from scheduled_tasks.deploy.analyze import next_runs

    calendars = {
        timer: (old.file(timer).values("OnCalendar"), new.file(timer).values("OnCalendar"))
        for timer in sorted((*todo.created, *todo.changed, *todo.removed))
        if timer.endswith(".timer")
    }
    differing = {timer: both for timer, both in calendars.items() if both[0] != both[1]}
    now = current_time().timestamp()
    try:
        before = next_runs({timer: lines for timer, (lines, _) in differing.items()}, now)
        after = next_runs({timer: lines for timer, (_, lines) in differing.items()}, now)
    except ServiceUnavailableError:  # without systemd-analyze, as on a CI machine, the files can still be planned
        before = after = dict.fromkeys(differing)
    return [(timer, before[timer], after[timer]) for timer in differing]


def _diff(todo: Plan, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for path in sorted((*todo.created, *todo.changed, *todo.removed)):
        before, after = (path if path in files else "/dev/null" for files in (old, new))
        texts = (old.get(path, "").splitlines(), new.get(path, "").splitlines())
        yield from unified_diff(*texts, before, after, lineterm="")


def _require_reachable_database(files: UnitSet, host: Host, places: Places, *, keep: bool = False) -> None:
    """Refuse a set whose jobs can't reach their database from inside their sandbox.

    Raises:
        CutOffError: they can't, though the database answers this host.
    """
    from scheduled_tasks.deploy.sandboxes.trial import CutOffError

    trial = try_sandboxes(files, host.run_task, places, keep=keep)
    show_warnings(trial.warnings)
    if trial.faults:
        raise CutOffError("\n".join(("the jobs can't run, nothing was changed:", *trial.faults)))


@click.command("apply")
@without_database_option
@root_option
@user_option
@json_option
def apply_units(*, root: Path, user: bool, without_database: bool, as_json: bool) -> None:
    """Make this machine's timers match the clock files.

    Needs root, except with --user.
    """
    from scheduled_tasks.deploy.apply import apply
    from scheduled_tasks.deploy.releases import prepare
    from scheduled_tasks.deploy.remembered.rendered_set import rendered

    places = chosen_places(root, user=user)
    clocks, host = enabled_clocks(), configured_host(places)
    if not without_database:
        require_services_database(clocks, places)
    files = rendered(clocks, host, places)
    require_own_name(places)
    prepare(files, places)
    require = partial(_require_reachable_database, host=host, places=places, keep=True)
    applied = apply(files, places, _effects(places), try_out=None if without_database else require)
    _finish(applied, places, as_json=as_json)
    for sentence in unsupported_options(clocks, host) if applied.changed else ():
        click.echo(f"left out: {sentence}", err=True)
    absent = missing_credentials(settings.load()) if places.is_running else []
    show_warnings([*configured_risks(), *absent, *why_nobody_is_told(clocks, settings.load())])


def _finish(applied: Applied, places: Places, *, as_json: bool) -> None:
    """Report to the ledger, update links to the current set, and show what was done."""
    from scheduled_tasks.deploy.releases import update_links

    report_host(places)
    links = update_links(places)
    if as_json:
        show_json(asdict(applied) | {"links": links, "changed": applied.changed or bool(links)})
    elif not applied.changed and not links:
        click.echo("already up to date")
    else:
        for verb in ("started", "restarted", "stopped"):
            for unit in getattr(applied, verb):
                click.echo(f"{verb} {unit}")
        for link in links:
            click.echo(f"updated {link}")
        for service in applied.caught_up:
            click.echo(f"started {service}, which became due meanwhile")
        click.echo(f"{counted(len(applied.changed_files), 'unit file')} changed")


@click.command("sets")
@root_option
@user_option
@utc_option
@json_option
def list_sets(*, root: Path, user: bool, as_json: bool) -> None:
    """Show the current set of units and the earlier ones."""
    from scheduled_tasks.deploy.sets import kept_sets

    sets = kept_sets(chosen_places(root, user=user))
    if as_json:
        show_json([asdict(kept) for kept in sets])
        return
    times = LocalTimes.of_command()
    write = times.both if on_terminal() else shown
    rows = (
        (kept.name[:12], write(kept.applied_at), str(kept.jobs), "current" if kept.current else "") for kept in sets
    )
    show_table(("SET", f"APPLIED ({times.zone_name})" if on_terminal() else "APPLIED", "JOBS", ""), rows)


def _effects(places: Places) -> Effects:
    """What changes the machine, in the name of whoever runs the command."""
    from scheduled_tasks.deploy.effects import Effects

    return Effects(places.manager, actor())


@click.command("rollback")
@click.argument("name", metavar="[SET]", default="", shell_complete=completion.sets)
@root_option
@user_option
@json_option
def rollback_units(*, name: str, root: Path, user: bool, as_json: bool) -> None:
    """Switch back to the previous set of units, or to SET.

    Its release is restored too. Needs root, except with --user.

    The next `clocks apply` installs what the clock files say, so fix them first.
    """
    from scheduled_tasks.deploy.sets import rollback

    places = chosen_places(root, user=user)
    _finish(rollback(name, places, _effects(places)), places, as_json=as_json)


@click.command("remove")
@click.option("--all", "everything", is_flag=True, help="Required confirmation: removes every unit of every clock.")
@root_option
@user_option
@json_option
def remove_units(*, everything: bool, root: Path, user: bool, as_json: bool) -> None:
    """Remove all units, sets and stamps from this machine.

    Running jobs are not interrupted. Needs root, except with --user.
    """
    from scheduled_tasks.deploy.sets import remove_all
    from scheduled_tasks.operate.host_watch import remove_state

    if not everything:
        raise UsageError("write 'clocks remove --all'; to remove one job, edit its clock file and run 'clocks apply'")
    places = chosen_places(root, user=user)
    _finish(remove_all(places, _effects(places)), places, as_json=as_json)
    remove_state(places, has_database=has_database())


COMMANDS = (plan_units, apply_units, list_sets, rollback_units, remove_units)
