"""clocks features: show and switch feature flags."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import actor
from scheduled_tasks.cli.help import completion
from scheduled_tasks.cli.help.sections import Group
from scheduled_tasks.cli.options import check_option, future_instant, json_option
from scheduled_tasks.cli.output import exit_if_pending, show_json
from scheduled_tasks.cli.screens.local_times import LocalTimes, utc_option
from scheduled_tasks.cli.screens.styles import Style, Styled, on_terminal, show
from scheduled_tasks.cli.screens.tables import show_table
from scheduled_tasks.errors import UsageError
from scheduled_tasks.instants import shown
from scheduled_tasks.operate import feature_flags
from scheduled_tasks.project import configured_features, open_database

if TYPE_CHECKING:
    from scheduled_tasks.run.database import Connection


@click.group("features", cls=Group)
def group() -> None:
    """Show and switch feature flags."""


@group.command("list")
@utc_option
@json_option
def list_flags(*, as_json: bool) -> None:
    """Show each flag, its state, and who set it last."""
    declared = configured_features()
    with open_database() as database:
        flags = feature_flags.list_flags(database, declared)
    missing = sorted(set(declared.__members__) - {flag.name for flag in flags})
    if as_json:
        show_json({"flags": [flag._asdict() for flag in flags], "missing": missing})
        return
    rows = [
        (
            (flag.name, _state(flag.is_active), flag.updated_at, flag.updated_by, flag.reverts_at, flag.reason or ""),
            flag.description + ("" if flag.declared else " (the enum no longer has it)"),
        )
        for flag in flags
    ]
    if on_terminal():
        times = LocalTimes.of_command()
        show_table(
            ("FLAG", "STATE", f"SINCE ({times.zone_name})", "DESCRIPTION"),
            (
                (name, state, times.both(at), "\n".join(filter(None, (description, _switched(by, until, why, times)))))
                for (name, state, at, by, until, why), description in rows
            ),
            text=True,
        )
    else:
        show_table(
            ("FLAG", "STATE", "SINCE", "BY", "WHY", "DESCRIPTION"),
            (
                (name, _until(state, until), shown(at), by, why, description)
                for (name, state, at, by, until, why), description in rows
            ),
        )
    for name in missing:
        click.echo(f"{name} is not in the table: its default applies; `clocks features sync` adds it", err=True)


def _state(is_active: bool) -> Styled:  # noqa: FBT001 - a column's value
    return Styled("active", Style.GOOD) if is_active else Styled("inactive", Style.WARNING)


def _until(state: Styled, until: datetime | None) -> Styled:
    return state._replace(text=f"{state}{f' until {shown(until)}' if until else ''}")


def _switched(by: str, until: datetime | None, why: str, times: LocalTimes) -> str:
    """Who switched a flag, for how long and why, on a terminal."""
    return f"by {by}{f' until {times.both(until)}' if until else ''}{f': {why}' if why else ''}"


def _switch(name: str, reason: str | None, until: datetime | None, *, active: bool, as_json: bool) -> None:
    if until and until <= datetime.now(UTC):
        raise UsageError(f"--until {shown(until)} is in the past")
    with open_database() as database:
        changed = feature_flags.set_active(database, name, active=active, actor=actor(), reason=reason, until=until)
        ends = feature_flags.reverts_at(database, name)
    if as_json:
        show_json({"changed": changed, "name": name, "is_active": active, "reverts_at": ends})
        return
    state = _until(_state(active), ends)
    permanent = "; this is permanent" if until and not ends else ""
    show(f"{name} ", *(("is ", state, " now") if changed else ("was ", state, f" already{permanent}")))


reason_option = click.option("--reason", help="Why; shown in the history.")
until_option = click.option(
    "--until", callback=future_instant, metavar="T", help="When it reverts: 06:00, tomorrow, 2h."
)


@group.command("enable")
@click.argument("name", shell_complete=completion.flags)
@reason_option
@until_option
@utc_option
@json_option
def enable(name: str, reason: str | None, until: datetime | None, *, as_json: bool) -> None:
    """Switch a flag on, starting with the next run."""
    _switch(name, reason, until, active=True, as_json=as_json)


@group.command("disable")
@click.argument("name", shell_complete=completion.flags)
@reason_option
@until_option
@utc_option
@json_option
def disable(name: str, reason: str | None, until: datetime | None, *, as_json: bool) -> None:
    """Switch a flag off, starting with the next run.

    A running task is not interrupted.
    """
    _switch(name, reason, until, active=False, as_json=as_json)


@group.command("log")
@click.argument("name", required=False, shell_complete=completion.flags)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Maximum number of changes.")
@utc_option
@json_option
def log(*, name: str | None, limit: int, as_json: bool) -> None:
    """Show who switched NAME or any flag, when and why, newest first."""
    with open_database() as database:
        feature_flags.revert_expired(database)
        changes = feature_flags.history(database, name, limit=limit)
    if as_json:
        show_json([change._asdict() for change in changes])
        return
    if on_terminal():
        times = LocalTimes.of_command()
        show_table(
            ("FLAG", "STATE", f"AT ({times.zone_name})", "BY, WHY"),
            (
                (flag, _state(is_active), times.both(at), _switched(by, reverts_at, why or "", times))
                for flag, at, by, _was_active, is_active, why, reverts_at in changes
            ),
            text=True,
        )
    else:
        show_table(
            ("AT", "FLAG", "STATE", "BY", "WHY"),
            (
                (shown(at), flag, _until(_state(is_active), reverts_at), by, why or "")
                for flag, at, by, _was_active, is_active, why, reverts_at in changes
            ),
        )


def add_missing(database: Connection, *, check: bool) -> feature_flags.Synchronized:
    """Add the project's missing flags; with `check`, in a transaction that is rolled back."""
    declared = configured_features()
    if check and not feature_flags.table_exists(database):  # `clocks migrate --check` creates nothing
        return feature_flags.Synchronized(tuple(declared.__members__), (), ())
    return feature_flags.synchronize(database, declared, actor=actor())


@group.command("sync")
@check_option
@json_option
def sync(*, check: bool, as_json: bool) -> None:
    """Add missing flags to the table, with their defaults.

    Existing flags stay as operators set them.
    """
    with open_database(roll_back=check) as database:
        done = add_missing(database, check=check)
    changed = bool(done.added or done.described)
    if as_json:
        show_json({"changed": changed, **done._asdict()})
    else:
        for name in done.added:
            click.echo(f"{name} added")
        for name in done.described:
            click.echo(f"{name} has a new description")
        for name in done.undeclared:
            click.echo(f"{name} is in the table, but the enum no longer has it")
        if not any(done):
            click.echo("already up to date")
    exit_if_pending(changes=changed, check=check)


COMMANDS = (group,)
