"""clocks features: see and switch the flags that tasks are behind."""

from __future__ import annotations

import click

from scheduled_tasks import features
from scheduled_tasks.cli.common import (
    Commands,
    actor,
    check_option,
    configured_features,
    connection,
    json_option,
    rehearsed,
    show_json,
    table,
)


@click.group("features", cls=Commands)
def group() -> None:
    """See and switch the feature flags that tasks are behind."""


@group.command("list")
@json_option
def list_flags(*, as_json: bool) -> None:
    """Show every flag, its state, and who set it last."""
    declared = configured_features()
    with connection() as database:
        flags = features.list_flags(database, declared)
    missing = sorted(set(declared.__members__) - {flag.name for flag in flags})
    if as_json:
        show_json({"flags": [flag._asdict() for flag in flags], "missing": missing})
        return
    rows = (
        (
            flag.name,
            "active" if flag.is_active else "inactive",
            f"{flag.updated_at:%Y-%m-%d %H:%M}",
            flag.updated_by,
            flag.description + ("" if flag.declared else " (the enum no longer has it)"),
        )
        for flag in flags
    )
    table(("FLAG", "STATE", "SINCE", "BY", "DESCRIPTION"), rows)
    for name in missing:
        click.echo(f"{name} is not in the table: its default holds; `clocks features sync` adds it", err=True)


def _switch(name: str, reason: str | None, *, active: bool) -> None:
    with connection() as database:
        changed = features.set_active(database, name, active=active, actor=actor(), reason=reason)
    state = "active" if active else "inactive"
    click.echo(f"{name} is {state} now" if changed else f"{name} was {state} already")


@group.command("enable")
@click.argument("name")
@click.option("--reason", help="Why; it is kept in the history.")
def enable(name: str, reason: str | None) -> None:
    """Switch a flag on, from the next run on."""
    _switch(name, reason, active=True)


@group.command("disable")
@click.argument("name")
@click.option("--reason", help="Why; it is kept in the history.")
def disable(name: str, reason: str | None) -> None:
    """Switch a flag off, from the next run on; a running task goes on."""
    _switch(name, reason, active=False)


@group.command("sync")
@check_option
@json_option
def sync(*, check: bool, as_json: bool) -> None:
    """Add the flags that the table lacks, with their defaults; what an operator set stays."""
    declared = configured_features()
    with connection() as database, rehearsed(database, check=check):
        if check and not features.is_there(database):  # the migrations that make the table were only looked at, too
            done = features.Synchronized(tuple(declared.__members__), (), ())
        else:
            done = features.synchronize(database, declared, actor=actor())
    if as_json:
        show_json({"changed": bool(done.added or done.described), **done._asdict()})
        return
    for name in done.added:
        click.echo(f"{name} added")
    for name in done.described:
        click.echo(f"{name} has a new description")
    for name in done.undeclared:
        click.echo(f"{name} is in the table, but the enum no longer has it")
    if not any(done):
        click.echo("nothing to do: the table has every flag of the enum")


COMMANDS = (group,)
