"""clocks tokens: tokens with which programs ask the page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import actor
from scheduled_tasks.cli.help.sections import Group
from scheduled_tasks.cli.options import future_instant, json_option, require_future
from scheduled_tasks.cli.output import show_json
from scheduled_tasks.cli.screens.local_times import LocalTimes, utc_option
from scheduled_tasks.cli.screens.styles import Style, Styled, on_terminal
from scheduled_tasks.cli.screens.tables import show_table
from scheduled_tasks.instants import shown
from scheduled_tasks.page.access import tokens
from scheduled_tasks.page.access.tokens import NewToken
from scheduled_tasks.project import database_now, open_database

if TYPE_CHECKING:
    from scheduled_tasks.page.access.tokens import StoredToken

VALID_FOR = timedelta(days=90)


@click.group("tokens", cls=Group)
def group() -> None:
    """Show, create and revoke the page's tokens of programs."""


@group.command("list")
@utc_option
@json_option
def list_tokens(*, as_json: bool) -> None:
    """Show each token's groups, its end, and who created it; never the token."""
    with open_database() as database:
        now = database_now(database)
        rows = tokens.stored(database)
    if as_json:
        show_json([row._asdict() | {"state": row.state(now)} for row in rows])
    elif on_terminal():
        times = LocalTimes.of_command(now)
        show_table(
            ("TOKEN", "STATE", f"UNTIL ({times.zone_name})", "GROUPS", "NOTE"),
            [
                (row.name, _state(row, now), times.both(row.until), ", ".join(row.groups) or "-", _note(row))
                for row in rows
            ],
            text=True,
        )
    else:
        show_table(
            ("TOKEN", "STATE", "UNTIL", "GROUPS", "CREATED", "BY", "WHY"),
            [
                (row.name, _state(row, now), shown(row.until), ",".join(row.groups) or "-", shown(row.created_at),
                 row.created_by, row.reason or "")
                for row in rows
            ],
        )  # fmt: skip


def _state(row: StoredToken, now: datetime) -> Styled:
    state = row.state(now)
    return Styled(state, Style.GOOD if state == "valid" else Style.WARNING)


def _note(row: StoredToken) -> str:
    revoked = f"; revoked by {row.revoked_by}" if row.revoked_by else ""
    return f"by {row.created_by}{f': {row.reason}' if row.reason else ''}{revoked}"


@group.command("create")
@click.argument("name")
@click.option(
    "--group", "groups", multiple=True, metavar="GROUP",
    help="As whose member it acts, by [page] in the configuration; without, it can only look. Repeatable.",
)  # fmt: skip
@click.option("--until", callback=future_instant, metavar="T", help="When it ends: 2027-01-01, 30d. Default: 90d.")
@click.option("--reason", help="What it is for; shown by `clocks tokens list`.")
@utc_option
@json_option
def create(name: str, groups: tuple[str, ...], until: datetime | None, reason: str | None, *, as_json: bool) -> None:
    """Create a token and print it, this once.

    A program sends it as `Authorization: Bearer TOKEN`. The database has only its hash.
    """
    with open_database() as database:
        now = database_now(database)
        until = until or now + VALID_FOR
        require_future(until, now)
        token = tokens.create(database, NewToken(name, groups, until, actor(), reason))
    if as_json:
        show_json({"name": name, "token": token, "groups": sorted(set(groups)), "until": until})
        return
    click.echo(token)
    times = LocalTimes.of_command(now)
    click.echo(f"Valid until {times.both(until)}; it is not shown again.", err=True)


@group.command("revoke")
@click.argument("name")
@json_option
def revoke(name: str, *, as_json: bool) -> None:
    """Revoke a token: a page refuses it within five seconds."""
    with open_database() as database:
        changed = tokens.revoke(database, name, by=actor())
    if as_json:
        show_json({"changed": changed, "name": name})
    else:
        click.echo(f"{name} is revoked" if changed else f"{name} was revoked already")


COMMANDS = (group,)
